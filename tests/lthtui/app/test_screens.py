"""Whole screens as text, against those that were looked at and found good.

`pytest tests/lthtui/app/test_screens.py --snapshot-update` writes them anew.
"""

from __future__ import annotations

import pytest
from maskfiles import leave_masks
from rundirs import FakeRun, populate

from lthtui.evaluationdesk import Choice, EvaluationDesk
from lthtui.preferences import Preferences
from lthtui.screens import queue
from lthtui.screens.run import TABS
from lthtui.widgets.topbar import PLACES

from .conftest import screen

SIZES = [(80, 24), (120, 40), (160, 48)]


@pytest.fixture(autouse=True)
def one_look(monkeypatch):
    """Devices are read once: their history is as long as the queue was looked at."""
    monkeypatch.setattr(queue, "LOOK", 3600.0)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_no_runs(running, root, snapshot, size):
    async with running(size=size) as pilot:
        await pilot.settle(lambda: "no runs yet" in screen(pilot.app))
        assert screen(pilot.app) == snapshot


@pytest.mark.parametrize("size", SIZES)
async def test_places(running, root, specs, snapshot, size):
    leave_masks(populate(root)["sweep-0.5"], 5)
    async with running(size=size) as pilot:
        await pilot.press("end", "h", "c")
        await pilot.settle(lambda: "digits-imp" in screen(pilot.app))
        for number, place in enumerate(PLACES, start=1):
            await pilot.press(str(number))
            await pilot.settle(lambda place=place: SEEN[place] in screen(pilot.app))
            assert screen(pilot.app) == snapshot(name=place)


SEEN = {  # in each place once all of it is there
    "runs": "; 2 of 2 winning by val",
    "queue": "cores",
    "compare": "paired",
    "tickets": "kept, log",
    "specs": "✗1",
}


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_tabs_of_a_run(running, root, snapshot, size):
    run = FakeRun(root, "one", levels=3).start().train(4).end()
    for level, accuracies in ((0, (0.1, 0.4, 0.7)), (3, (0.2, 0.5, 0.9))):
        bins = [
            {"images": 5 * at, "confidence": at / 4, "accuracy": accuracy}
            for at, accuracy in enumerate(accuracies, start=1)
        ]
        run.evaluate(level, "calibration", {"ece": 0.1}, calibration={"test": {"bins": bins}})
    run.fail(3, "fgsm", "the images are gone")
    run.log("09:00:00 level 0\nWARNING conv1 keeps 0.4 %\n")
    leave_masks(run, 4)
    async with running(size=size) as pilot:
        await pilot.press("enter")
        for tab in TABS:
            await pilot.settle(lambda tab=tab: WITHIN[tab] in screen(pilot.app))
            if tab not in ("files", "spec", "about"):  # which name folders and machines
                assert screen(pilot.app) == snapshot(name=tab)
            await pilot.press("right_square_bracket")


async def test_a_run_on_a_wide_terminal(running, root, snapshot):
    populate(root)
    async with running(size=(200, 50)) as pilot:
        await pilot.press("end", "enter")
        await pilot.settle(lambda: "not by default" in screen(pilot.app))
        assert screen(pilot.app) == snapshot


WITHIN = {
    "curve": "weights kept",
    "training": "of 3",
    "levels": "4,000",
    "layers": "log scale",
    "evaluations": "by confidence",
    "files": "run folder",
    "log": "WARNING",
    "spec": "resolved",
    "about": "nothing is noted",
}


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        ("question_mark", "esc closes"),
        ("v", "Columns"),
        ("s", "Sort by"),
        ("number_sign", "tags"),
        ("x", "Stop"),
        ("apostrophe", " a "),
    ],
)
async def test_dialogs(running, root, snapshot, keys, shown):
    populate(root)
    async with running(size=(80, 24)) as pilot:
        await pilot.press("end", keys)
        await pilot.settle(lambda: shown in screen(pilot.app))
        assert screen(pilot.app) == snapshot


async def test_evaluations_to_choose_from(running, root, snapshot, monkeypatch):
    choices = [Choice(name, "dense, best", f"What {name} measures.") for name in ("one", "another")]
    monkeypatch.setattr(EvaluationDesk, "choices", lambda self: choices)
    populate(root)
    async with running(size=(80, 24)) as pilot:
        await pilot.press("end", "V")
        await pilot.settle(lambda: "another" in screen(pilot.app))
        await pilot.press("space", "tab")
        await pilot.settle(lambda: "--level best" in screen(pilot.app))
        assert screen(pilot.app) == snapshot


async def test_in_ascii(running, root, snapshot):
    populate(root)
    async with running(size=(100, 30), preferences=Preferences(ascii=True)) as pilot:
        await pilot.press("end", "h")
        await pilot.settle()
        assert screen(pilot.app) == snapshot


@pytest.mark.parametrize("theme", ["lthtui", "textual-light", "ansi-dark"])
async def test_colours(running, root, snapshot, theme):
    populate(root)
    async with running(size=(80, 24)) as pilot:
        pilot.app.theme = theme
        await pilot.press("end", "h")
        await pilot.settle()
        shown = [
            [
                f"{segment.style.color and segment.style.color.name} on"
                f" {segment.style.bgcolor and segment.style.bgcolor.name}: {segment.text.strip()}"
                for segment in strip
                if segment.style and segment.text.strip()
            ]
            for strip in pilot.app.screen._compositor.render_strips()[:13]
        ]
        assert shown == snapshot


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
