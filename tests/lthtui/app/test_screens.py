"""Whole screens as text, against those that were looked at and found good.

`pytest tests/lthtui/app/test_screens.py --snapshot-update` writes them anew.
"""

from __future__ import annotations

import pytest
from rundirs import populate

from .conftest import screen


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_no_runs(running, root, snapshot, size):
    async with running(size=size) as pilot:
        await pilot.settle(lambda: "no runs yet" in screen(pilot.app))
        assert screen(pilot.app) == snapshot


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 48)])
async def test_runs(running, root, snapshot, size):
    populate(root)
    async with running(size=size) as pilot:
        await pilot.press("end", "h")
        await pilot.settle(lambda: "epoch 3: 100%" in screen(pilot.app) or size[0] < 120)
        assert screen(pilot.app) == snapshot


async def test_without_colour_bands_are_shaded_and_lines_marked(
    running, root, snapshot, monkeypatch
):
    monkeypatch.setenv("NO_COLOR", "1")
    populate(root)
    async with running(size=(100, 30)) as pilot:
        await pilot.press("end", "h")
        await pilot.settle()
        strips = pilot.app.screen._compositor.render_strips()
        colours = {
            colour.triplet
            for strip in strips
            for segment in strip
            for colour in (segment.style.color, segment.style.bgcolor)
            if colour and colour.triplet
        }
        assert all(max(colour) - min(colour) <= 1 for colour in colours) and colours
        assert "░░░" in screen(pilot.app)
        assert screen(pilot.app) == snapshot


async def test_one_run(running, root, snapshot):
    populate(root)
    async with running(size=(80, 24)) as pilot:
        await pilot.press("end", "up", "enter")
        await pilot.settle(lambda: "winning ticket: level 3" in screen(pilot.app))
        assert screen(pilot.app) == snapshot
