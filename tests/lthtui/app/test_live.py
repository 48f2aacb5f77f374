"""A run that writes while the app looks on."""

from __future__ import annotations

import threading
import time

from rundirs import FakeRun

from engine.rundir import write_json
from lthtui.screens.main import MainScreen
from lthtui.screens.run import RunScreen
from lthtui.widgets.chart import ChartView
from lthtui.widgets.grid import Grid

from .conftest import screen


def dots(app, name):
    """Braille dots in a chart."""
    view = app.screen.query_one(f"#{name}", ChartView)
    text = "".join(view.render_line(y).text for y in range(view.size.height))
    return sum(bin(ord(one) - 0x2800).count("1") for one in text if 0x2800 < ord(one) < 0x2900)


async def test_table_charts_and_log_follow_the_journal(running, root):
    run = FakeRun(root, "live", epochs=30).start(alive=True)
    written = threading.Event()

    def write():
        for level in range(2):
            run.begin_level(level)
            for epoch in range(1, run.epochs + 1):
                run.end_epoch(level, epoch)
                run.log(f"level {level} epoch {epoch}\n")
                time.sleep(0.005)
            run.end_level(level)
        written.set()

    async with running() as pilot:
        before = dots(pilot.app, "training ChartView")
        writer = threading.Thread(target=write)
        writer.start()
        await pilot.settle(lambda: dots(pilot.app, "training ChartView") > before)
        await pilot.settle(written.is_set)
        writer.join()
        await pilot.settle(lambda: "level 1 epoch 30" in screen(pilot.app))
        (row,) = pilot.app.screen.query_one(Grid).rows
        assert [cell.text for cell in row.cells][2:5] == ["1/5", "80%", "92.0 @1"]
        assert dots(pilot.app, "curve") > 50
        assert "level 1" in screen(pilot.app)


async def test_only_what_changed_is_drawn_again(running, root, monkeypatch):
    runs = [
        FakeRun(root, f"run{index}", train={"epochs": 4, "batch_size": 10 + index})
        for index in range(9)
    ]
    for run in runs:
        run.start().train(1).end("stopped")
    runs[3].start(alive=True).begin_level(1)
    runs[3].end_epoch(1, 1)
    async with running() as pilot:
        grid = pilot.app.screen.query_one(Grid)
        lines = []
        monkeypatch.setattr(grid, "refresh", lambda *regions, **_: lines.append(regions))
        for epoch in (2, 3, 4):
            runs[3].end_epoch(1, epoch)
        runs[3].end_level(1)
        await pilot.settle(lambda: grid.rows[5].cells[4].text == "92.0 @1")
        assert {tuple(region.y for region in regions) for regions in lines} == {(6,)}


async def test_what_a_run_writes_lays_out_nothing_and_draws_no_whole_boxes(
    running, root, monkeypatch
):
    run = FakeRun(root, "live", epochs=30).start(alive=True)
    run.begin_level(0)
    run.end_epoch(0, 1)
    run.log("".join(f"line {number}\n" for number in range(20)))  # more than there is room for
    async with running() as pilot:
        await pilot.settle(lambda: "line 19" in screen(pilot.app))
        shown, done = pilot.app.screen, []
        shown.screen_layout_refresh_signal.subscribe(shown, done.append)
        for name in ("#runs", "#training", "#log"):
            box = shown.query_one(name)
            monkeypatch.setattr(box, "refresh", lambda *_, name=name, **__: done.append(name))
        before = dots(pilot.app, "training ChartView")
        run.end_epoch(0, 2)
        run.log("one more\n")
        await pilot.settle(lambda: "one more" in screen(pilot.app))
        await pilot.settle(lambda: dots(pilot.app, "training ChartView") != before)
        assert done == []


async def test_a_screen_that_is_hidden_draws_nothing_and_shows_later_what_it_missed(
    running, root, monkeypatch
):
    run = FakeRun(root, "live", epochs=30).start(alive=True)
    run.begin_level(0)
    run.end_epoch(0, 1)
    async with running() as pilot:
        await pilot.press("enter")
        await pilot.settle(lambda: isinstance(pilot.app.screen, RunScreen))
        below, drawn = pilot.app.screen_stack[0], []
        with monkeypatch.context() as patch:
            patch.setattr(below.query_one(Grid), "refresh", lambda *_, **__: drawn.append(1))
            run.train(2)
            await pilot.settle(lambda: "92.0" in screen(pilot.app))
        assert not drawn and below.board is not pilot.app.board
        await pilot.press("escape")
        await pilot.settle(lambda: pilot.app.screen is below)
        assert below.board is pilot.app.board and "92.0 @1" in screen(pilot.app)


async def test_a_run_that_is_killed_is_shown_as_lost(running, root):
    run = FakeRun(root, "gone").start(alive=True).train(1)
    async with running() as pilot:
        assert pilot.app.board.counts["running"] == 1
        launch = run.directory.launch().model_dump()
        launch["process"]["start"] = 1
        write_json(run.directory.launch_file, launch)
        await pilot.settle(lambda: pilot.app.board.counts["lost"] == 1)
        assert "the worker vanished" in screen(pilot.app)
        assert isinstance(pilot.app.screen, MainScreen)
