"""Looks into a run: densities of its layers, and its files."""

from __future__ import annotations

import shutil
import tempfile

from maskfiles import leave_masks
from PIL import Image
from rundirs import FakeRun
from textual.app import App
from textual.drivers.headless_driver import HeadlessDriver

from lthtui.widgets.files import Files
from lthtui.widgets.grid import Grid
from lthtui.widgets.layers import Layers
from lthtui.widgets.overview import Overview
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


async def test_files_are_not_said_to_be_missing_before_they_were_looked_for(tmp_path):
    class Alone(App):
        CSS_PATH = "../../../lthtui/styles/lthtui.tcss"

        def compose(self):
            yield Files()

    async with Alone().run_test(size=(80, 8)) as pilot:
        assert "looking for files" in screen(pilot.app)
        pilot.app.query_one(Files)._list([])
        await pilot.pause()
        assert "no files of this run" in screen(pilot.app)


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


async def test_what_is_shown_of_a_file_takes_all_the_room(running, root):
    FakeRun(root, "one", levels=1).start().train(2).end()
    async with running(size=(80, 24)) as pilot:
        await go(pilot, "files")
        await pilot.press("right", "end")
        await pilot.settle(lambda: "version: 1" in screen(pilot.app))
        assert "spec.yaml  " in screen(pilot.app) and "events.jsonl" in screen(pilot.app)
        await pilot.press("enter")
        await pilot.settle(lambda: "events.jsonl" not in screen(pilot.app))
        assert " spec.yaml  " in screen(pilot.app)  # its title
        await pilot.press("right_square_bracket", "left_square_bracket")
        await pilot.settle(lambda: "version: 1" in screen(pilot.app))
        assert isinstance(pilot.app.focused, Sheet)  # and not the tree that is out of view
        await pilot.press("escape")
        await pilot.settle(lambda: "events.jsonl" in screen(pilot.app))
        assert isinstance(pilot.app.focused, Grid)


async def test_a_file_is_opened_copied_and_its_path_kept(running, root, tmp_path, monkeypatch):
    run = FakeRun(root, "one", levels=1).start().train(2).end()
    seen = tmp_path / "seen"
    monkeypatch.setenv("PAGER", f"sh -c 'cat \"$0\" > {seen}'")
    monkeypatch.setattr(HeadlessDriver, "can_suspend", True)
    async with running(size=(80, 24)) as pilot:
        await go(pilot, "files")
        await pilot.press("o")  # on a folder, which cannot be opened
        await pilot.press("right", "end")
        await pilot.settle(lambda: "version: 1" in screen(pilot.app))
        await pilot.press("o")
        await pilot.settle(lambda: seen.exists())
        assert seen.read_bytes() == run.directory.spec_file.read_bytes()
        await pilot.press("y")
        await pilot.settle(lambda: pilot.app.clipboard == str(run.directory.spec_file))
        await pilot.press("E")
        await pilot.settle(lambda: "Copy spec.yaml to" in screen(pilot.app))
        await pilot.press("x", "enter")  # over all but its ending
        await pilot.settle(lambda: (tmp_path / "x.yaml").exists())
        await pilot.press("E", "enter")
        await pilot.settle(lambda: (tmp_path / "spec.yaml").exists())
        (tmp_path / "spec.yaml").write_text("mine")
        for answer, left in (("n", True), ("y", False)):
            await pilot.press("E", "enter")
            await pilot.settle(lambda: "Overwrite" in screen(pilot.app))
            await pilot.press(answer)
            await pilot.settle(lambda: "Overwrite" not in screen(pilot.app))
            assert ((tmp_path / "spec.yaml").read_text() == "mine") is left
        (tmp_path / "folder").mkdir()
        await pilot.press("E")
        await pilot.settle(lambda: "Copy spec.yaml to" in screen(pilot.app))
        for text, why in (("~nobody-at-all/x", "is no folder; make"), ("a" * 300, "too long")):
            pilot.app.screen.query_one("#file").value = text
            await pilot.press("enter")
            await pilot.settle(lambda why=why: why in screen(pilot.app))
        pilot.app.screen.query_one("#file").value = "folder"
        await pilot.press("enter")
        await pilot.settle(lambda: (tmp_path / "folder" / "spec.yaml").exists())


async def test_a_pager_that_fails_gives_the_terminal_back(running, root, tmp_path, monkeypatch):
    FakeRun(root, "one").start().train(1).end()
    aside, calls = tmp_path / "aside", []
    aside.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(aside))
    monkeypatch.setattr(HeadlessDriver, "can_suspend", True)
    for call in ("suspend", "resume"):
        name = f"{call}_application_mode"
        monkeypatch.setattr(HeadlessDriver, name, lambda driver, call=call: calls.append(call))
    monkeypatch.setenv("PAGER", "false")
    async with running(size=(80, 24)) as pilot:
        await go(pilot, "files")
        await pilot.press("right", "end")
        await pilot.settle(lambda: "version: 1" in screen(pilot.app))
        await pilot.press("o")
        await pilot.settle(lambda: any("code 1" in one.message for one in pilot.app._notifications))
        assert calls == ["suspend", "resume"] and not [*aside.iterdir()]


async def test_where_the_current_folder_is_gone_files_are_copied_all_the_same(
    running, root, tmp_path, monkeypatch
):
    FakeRun(root, "one").start().train(1).end()
    (tmp_path / "gone").mkdir()
    async with running(size=(80, 24)) as pilot:
        await go(pilot, "files")
        await pilot.press("right", "end")
        await pilot.settle(lambda: "version: 1" in screen(pilot.app))
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        await pilot.press("E")
        await pilot.settle(lambda: "Copy spec.yaml to" in screen(pilot.app))
        await pilot.press(*"x", "enter")
        await pilot.settle(lambda: "the current folder is gone; give" in screen(pilot.app))
        pilot.app.screen.query_one("#file").value = f"{tmp_path}/x.yaml"
        await pilot.press("enter")
        await pilot.settle(lambda: (tmp_path / "x.yaml").exists())


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


async def test_a_wide_terminal_says_of_a_group_what_its_seeds_share(running, root):
    for seed in (1, 2):
        FakeRun(root, "one", seed, levels=1).start().train(2).end()
    async with running(size=(180, 48)) as pilot:
        await go(pilot, "curve")
        await pilot.settle(lambda: "not by default" in screen(pilot.app))
        assert beside(pilot)[:2] == ["one", "2 of 2 are winning tickets"]
        assert not any("seed" in line for line in beside(pilot)[2:])


async def test_a_wide_terminal_shows_what_there_is_to_know_beside_the_tabs(running, root):
    tags = {"why": "a question that is much longer than what fits beside the tabs"}
    run = FakeRun(root, "one", 3, levels=3, train={"epochs": 4}, tags=tags)
    run.start(alive=True).train(2)
    async with running(size=(180, 48)) as pilot:
        await go(pilot, "curve")
        await pilot.settle(lambda: "not by default" in screen(pilot.app))
        shown = beside(pilot)
        assert shown[:2] == ["one s3", "best so far"]
        assert ["level", "1/3"] in map(str.split, shown) and "  rate: 0.2" not in shown
        assert "  epochs: 4  # by default 200" in shown
        (cut,) = [line for line in shown if line.startswith("tags: {why: a question")]
        assert cut.endswith("…") and max(map(len, shown)) <= 42
        run.begin_level(2)
        run.end_level(2)
        await pilot.settle(lambda: ["level", "2/3"] in map(str.split, beside(pilot)))
        assert "seed: 3  # by default 0" in beside(pilot)
        await pilot.resize_terminal(179, 48)
        await pilot.settle(lambda: beside(pilot) == [])
        assert "not by default" not in screen(pilot.app)


def beside(pilot):
    """The lines of the overview."""
    region = pilot.app.screen.query_one(Overview).content_region
    lines = screen(pilot.app).splitlines()[region.y : region.bottom]
    return [line[region.x : region.right].rstrip() for line in lines if region.width]
