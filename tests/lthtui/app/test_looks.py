"""Looks into a run: densities of its layers, and its files."""

from __future__ import annotations

import shutil

from maskfiles import leave_masks
from PIL import Image
from rundirs import FakeRun

from lthtui.widgets.grid import Grid
from lthtui.widgets.layers import Layers
from lthtui.widgets.sheet import Sheet

from .conftest import screen


async def go(pilot, tab):
    """Open the only run and one of its tabs."""
    await pilot.press("enter")
    await pilot.settle(lambda: "curve  training" in screen(pilot.app))
    while f"tab-{tab}" != pilot.app.screen.query_one("#tabs").active:
        await pilot.press("right_square_bracket")
        await pilot.settle()


async def test_the_map_of_densities_grows_with_the_levels(running, root):
    run = FakeRun(root, "one", levels=3).start(alive=True).train(2)
    leave_masks(run, 2)
    async with running(size=(120, 40)) as pilot:
        await go(pilot, "layers")
        await pilot.settle(lambda: "kept, log scale" in screen(pilot.app))
        (fc,) = [line.split() for line in screen(pilot.app).splitlines() if " fc " in line]
        assert fc[:2] == ["fc", "100%"] and fc[-1] == "30,000" and "L2" not in screen(pilot.app)
        assert isinstance(pilot.app.focused, Layers)
        run.begin_level(2)
        run.end_level(2)
        await pilot.settle(lambda: "not a ticket file" in " ".join(screen(pilot.app).split()))
        leave_masks(run, 3)
        run.begin_level(3)
        await pilot.settle(lambda: "L2" in screen(pilot.app))
        assert "not a ticket" not in screen(pilot.app)


async def test_seeds_of_a_group_share_a_map(running, root):
    for seed in (0, 1):
        leave_masks(FakeRun(root, "one", seed, levels=1).start().train(2).end(), 2)
    async with running(size=(80, 24)) as pilot:
        await go(pilot, "layers")
        await pilot.settle(lambda: "◇L1" in screen(pilot.app))
        assert "conv1" in screen(pilot.app)


async def test_a_run_without_masks_says_so(running, root):
    FakeRun(root, "one").start()
    async with running() as pilot:
        await go(pilot, "layers")
        await pilot.settle(lambda: "no level has started yet" in screen(pilot.app))


async def test_files_are_looked_into(running, root):
    run = FakeRun(root, "one", levels=1).start().train(2).end()
    folder = run.directory.path
    (folder / "a.md").write_text("# Heading\n\n- **point**\n")
    (folder / "b\x1b[2J.csv").write_text("epoch,loss\n1,\x1b[31m0.5\n")
    Image.new("RGB", (8, 8), (255, 0, 0)).save(folder / "c.png")
    (folder / "z").symlink_to("/")
    async with running(size=(120, 40)) as pilot:
        await go(pilot, "files")
        await pilot.settle(lambda: "run folder" in screen(pilot.app))
        await pilot.press("right")
        await pilot.settle(lambda: "events.jsonl" in screen(pilot.app))
        assert "b\\x1b[2J.csv" in screen(pilot.app)
        await pilot.press("down", "right")
        await pilot.settle(lambda: "00/" in screen(pilot.app))
        await pilot.press("left", "down")
        await pilot.settle(lambda: "• point" in screen(pilot.app))
        await pilot.press("down")
        await pilot.settle(lambda: "epoch  loss" in screen(pilot.app))
        assert "\\x1b[31m0.5" in screen(pilot.app) and "\x1b" not in screen(pilot.app)
        await pilot.press("down")
        await pilot.settle(lambda: "▀▀▀▀▀▀▀▀" in screen(pilot.app))
        await pilot.press("end")
        await pilot.settle(lambda: "a link out of this folder" in screen(pilot.app))
        await pilot.press("enter")
        assert isinstance(pilot.app.focused, Sheet)


async def test_files_that_come_and_go_are_followed(running, root):
    run = FakeRun(root, "one", levels=3).start().train(1)
    async with running(size=(80, 24)) as pilot:
        await go(pilot, "files")
        await pilot.press("enter")
        await pilot.settle(lambda: "spec.yaml" in screen(pilot.app))
        (run.directory.path / "new.txt").write_text("hello")
        shutil.rmtree(run.directory.levels)
        run.end_epoch(0, 4)
        run.begin_level(1)
        await pilot.settle(lambda: "new.txt" in screen(pilot.app))
        assert "levels/" not in screen(pilot.app)
        keys = [
            row.key.rpartition("\0")[2] for row in pilot.app.screen.query_one("#tree", Grid).rows
        ]
        assert "new.txt" in keys
