"""A run that writes while the app looks on."""

from __future__ import annotations

import threading
import time

from rundirs import FakeRun

from engine.rundir import write_json
from lthtui.screens.main import MainScreen
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
        before = dots(pilot.app, "training")
        writer = threading.Thread(target=write)
        writer.start()
        await pilot.settle(lambda: dots(pilot.app, "training") > before)
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
