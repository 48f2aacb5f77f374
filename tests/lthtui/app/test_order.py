"""What is asked for quickly, one after another, is done in that order."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest
from rundirs import FakeRun
from waiting import PATIENCE

from lthtui import runnames, state, trash
from lthtui.screens.confirm import ConfirmScreen
from lthtui.screens.trash import TrashScreen
from lthtui.widgets.grid import Grid

from .conftest import screen

BREATH = 0.1  # seconds in which what may overtake something does


@pytest.fixture
def slow():
    """Has the first of some calls wait: until all are asked for, and for others to overtake it."""
    asked, overtaken, calls = Event(), Event(), []

    def wait(name):
        calls.append(name)
        if len(calls) == 1:
            asked.wait(PATIENCE)
            overtaken.wait(BREATH)
        else:
            overtaken.set()

    wait.asked, wait.calls = asked, calls
    yield wait
    asked.set()


async def until(pilot, condition):
    """Wait for the app while something is under way, which `settle` would wait for."""
    for _ in range(2000):
        if condition():
            return
        await pilot.pause(0.005)
    raise AssertionError(screen(pilot.app))


async def test_runs_are_removed_and_restored_in_order(running, root, monkeypatch, slow):
    runs = [FakeRun(root, name).start().train(1).end("stopped").directory for name in "ab"]

    def ask(words):
        verb, *paths = words
        for path in map(Path, paths):
            if verb == "trash":
                (path / trash.MARK).write_text("{}")
            else:
                slow(f"{verb} {path.name.split('-')[1]}")
        return {"failed": {}, "runs": {}}

    monkeypatch.setattr("lthtui.trashdesk.ask", ask)
    trash.throw(root, runs, ask)
    async with running() as pilot:
        await pilot.press("T")
        await pilot.settle(lambda: "2 runs" in screen(pilot.app))
        first, second = (row.key.split("-")[1] for row in pilot.app.screen.query_one(Grid).rows)
        await pilot.press("delete", "y")
        await until(pilot, lambda: slow.calls)
        await pilot.press("r", "down", "delete")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, TrashScreen))
        slow.asked.set()
        await pilot.settle(lambda: "the trash is empty" in screen(pilot.app))
        said = [one.message for one in pilot.app._notifications]
        assert "no longer in the trash" in said[1] and len(said) == 3
    assert slow.calls == [f"forget {first}", f"forget {second}"]
    assert not runnames.every(root) and not runnames.every(root, trash.FOLDER)


async def test_the_next_session_begins_at_the_place_that_was_gone_to_last(
    running, root, monkeypatch, slow
):
    put = state.put

    def slowly(section, key, value):
        slow(value)
        put(section, key, value)

    monkeypatch.setattr(state, "put", slowly)
    async with running() as pilot:
        await pilot.press("2")
        await until(pilot, lambda: slow.calls)
        await pilot.press("5", "4")
        await until(pilot, lambda: pilot.app.current_mode == "tickets")
        slow.asked.set()
        await pilot.settle(lambda: len(slow.calls) == 3)
    assert slow.calls == ["queue", "specs", "tickets"]
    assert state.get("places", str(root)) == "tickets"
