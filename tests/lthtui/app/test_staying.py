"""Runs that write while somebody looks: what is new appears, and what is looked at stays there."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3

import manyruns
from rundirs import FakeRun

from lthtui.widgets.grid import Grid

from .conftest import screen


def dots(app):
    """Braille dots on the screen."""
    text = screen(app)
    return sum(bin(ord(one) - 0x2800).count("1") for one in text if 0x2800 < ord(one) < 0x2900)


def status(grid):
    """What the row under the cursor says."""
    return [cell.text for cell in grid.rows[grid.cursor_index].cells]


def line_of(app):
    """On which line of the table its cursor is."""
    grid = app.screen.query_one(Grid)
    return grid.cursor_index - grid.scroll_offset.y


async def test_a_run_that_trains_moves_nothing_that_is_looked_at(running, root):
    for seed in range(2):
        FakeRun(root, "pair", seed).start().train(1).end("stopped")
    for index in range(50):
        if index == 10:
            live = FakeRun(root, "live", epochs=8).start(alive=True)
            live.log("".join(f"line {number} of the log\n" for number in range(50)))
            live.begin_level(0)
            live.end_epoch(0, 1)
        sizes = {"epochs": 4, "batch_size": 10 + index}
        FakeRun(root, f"run{index}", train=sizes).start().train(1).end("stopped")

    def write():
        FakeRun(root, "newest", epochs=9).start(alive=True)
        for epoch in range(2, 9):
            live.end_epoch(0, epoch)
            live.log(f"epoch {epoch} has ended\n")
        live.end_level(0)

    async with running((160, 40)) as pilot:
        grid = pilot.app.screen.query_one(Grid)
        await pilot.press("slash", *"not run29", "enter", "end", "right", *["up"] * 11)
        await pilot.settle(lambda: "line 49 of the log" in screen(pilot.app))
        pilot.app.screen.query_one("#log").focus()
        await pilot.press("home")
        await pilot.settle(lambda: "line 0 of the log" in screen(pilot.app))
        at, drawn, top = line_of(pilot.app), dots(pilot.app), grid.scroll_offset.y
        assert grid.cursor == live.run_id and top > 0

        await asyncio.to_thread(write)
        await pilot.settle(lambda: "90.0 @0" in status(grid))
        await pilot.settle(lambda: dots(pilot.app) > drawn + 10)
        assert (grid.cursor, line_of(pilot.app), grid.scroll_offset.y) == (live.run_id, at, top + 1)
        assert grid.rows[0].cells[0].text.strip() == "newest"
        assert [one.fold for one in grid.rows].count("▾") == 1
        assert not any("run29" in one.cells[0].text for one in grid.rows)
        assert "line 0 of the log" in screen(pilot.app)
        await pilot.press("end")
        await pilot.settle(lambda: "epoch 8 has ended" in screen(pilot.app))


async def test_a_run_that_only_the_store_knows_goes_on_under_the_cursor(running, root, template):
    manyruns.store(template, root, 40)
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        (run,) = store.execute("SELECT run_uuid FROM runs ORDER BY start_time LIMIT 1").fetchone()

        def write(first, last, status):
            point = "(key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, ?, ?)"
            for step in range(first, last):
                values = ("epoch/val_loss", 1.0 / step, step, step, 0, run)
                store.execute(f"INSERT INTO metrics {point}", values)
            store.execute(f"INSERT OR REPLACE INTO latest_metrics {point}", values)
            store.execute("UPDATE runs SET status = ? WHERE run_uuid = ?", (status, run))
            store.commit()

        write(4, 6, "RUNNING")
        async with running((160, 40)) as pilot:
            grid = pilot.app.screen.query_one(Grid)
            await pilot.press("end", *["up"] * 4)
            await pilot.settle(lambda: "● running" in status(grid))
            key, at = grid.cursor, line_of(pilot.app)
            write(6, 60, "FAILED")
            await pilot.settle(lambda: "✗ failed" in status(grid))
            await pilot.settle(lambda: re.search("└.* 40 ", screen(pilot.app)))
            assert (grid.cursor, line_of(pilot.app)) == (key, at)
