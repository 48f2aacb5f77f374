"""What a user sees and does on the screen of the queue."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rundirs import BEGAN, FakeRun, populate

from engine.launchspec import LaunchSpec
from lthtui import gauges
from lthtui.gauges import Gauge, Machine
from lthtui.launch import entries, later, lease
from lthtui.launch.entries import Entry
from lthtui.launch.later import Later
from lthtui.screens.queue import QueueScreen
from lthtui.screens.run import RunScreen
from lthtui.widgets.grid import Grid

from .conftest import screen


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch):
    """No queue process is started."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)


@pytest.fixture
def waiting(root):
    """Makes runs that wait, in the order of their names as given."""

    def make(*names, **fields):
        runs = []
        for place, name in enumerate(names):
            run = FakeRun(root, name, 0, sparsifier={"name": "imp", "levels": 2 + place})
            (root / "queue").mkdir(exist_ok=True)
            order = int(BEGAN * 1e9) + place
            host = entries.host(root)
            entry = Entry(run_id=run.run_id, order=order, launch=LaunchSpec(), host=host, **fields)
            entries.write(root, entry)
            runs.append(run)
        return runs

    return make


@pytest.fixture
def opened(running):
    """Opens the app on its queue."""
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def open_queue(size=(160, 48)):
        async with running(size=size) as pilot:
            await pilot.press("2")
            await pilot.settle(lambda: "reading the queue" not in screen(pilot.app))
            yield pilot

    return open_queue


def lines(pilot):
    rows = pilot.app.screen.query_one(Grid).rows
    return [" ".join(cell.text for cell in row.cells[:2]) for row in rows]


def entry(run):
    return entries.find(run.directory)


async def test_a_narrow_terminal_has_room_for_every_status(opened, root):
    failed, alive = (FakeRun(root, "a-name-that-is-rather-long-" * 2, seed) for seed in (0, 1))
    failed.start().train(1).end("failed", "the driver said no " * 9)
    alive.start(alive=True).train(1, 1)
    async with opened(size=(80, 24)) as pilot:
        await pilot.settle(lambda: "✗ failed " in screen(pilot.app))
        assert "s1 ● running CPU   0:00 level 1/5, 80% kept, 0:34 left" in screen(pilot.app)


async def test_it_says_what_runs_and_why_others_wait_or_failed(opened, root, waiting):
    populate(root)
    waiting("held", hold=True)
    async with opened() as pilot:
        await pilot.settle(lambda: "epoch 3: 100%" in screen(pilot.app))  # the first one's log
        text = screen(pilot.app)
        assert isinstance(pilot.app.screen, QueueScreen)
        assert lines(pilot)[0] == "digits-imp s2 ● running"
        assert "level 3/5, 51% kept, 0:17 left" in text
        assert "held s0" in text and "held; H lets it go" in text
        assert "the loss became NaN at level 1; its log has the whole message" in text
        assert "CPU" in text and "free of" in text


async def test_a_failure_is_told_in_full_with_what_can_be_done_and_its_last_lines(opened, root):
    run = FakeRun(root, "one", levels=3).start().train(1)
    why = "RuntimeError: CUDA out of memory. Tried to allocate 20.00 GiB, which there is not"
    run.log(f"Traceback (most recent call last):\n{why}\n")
    run.end("failed", error=why)
    async with opened(size=(80, 24)) as pilot:
        await pilot.settle(lambda: "Traceback (most" in screen(pilot.app))
        text = " ".join(screen(pilot.app).split())
        assert f"{why} its log has the whole message; R tries it again" in text
        await pilot.press("R")
        await pilot.settle(lambda: pilot.app.desk.asked)
        assert pilot.app.desk.asked == [("resume", [run.run_id])]


async def test_hold_and_release(opened, root, waiting):
    (run,) = waiting("one")
    async with opened() as pilot:
        await pilot.press("H")
        await pilot.settle(lambda: "◌ held" in screen(pilot.app))
        assert entry(run).hold
        await pilot.press("H")
        await pilot.settle(lambda: "◌ queued" in screen(pilot.app))
        assert not entry(run).hold
        assert not pilot.app._notifications  # which would hide the cell that tells it


async def test_a_stopped_run_is_resumed_where_it_was_stopped(opened, root):
    run = FakeRun(root, "one", levels=3).start().train(1).end("stopped")
    async with opened() as pilot:
        assert lines(pilot) == ["one s0 ■ stopped"]
        await pilot.press("R")
        await pilot.settle(lambda: pilot.app.desk.asked)
        assert pilot.app.desk.asked == [("resume", [run.run_id])]


async def test_priority_and_order(opened, root, waiting):
    first, second, third = waiting("first", "second", "third")
    async with opened(size=(80, 24)) as pilot:
        assert lines(pilot) == ["first s0 ◌ queued", "second s0 ◌ queued", "third s0 ◌ queued"]
        await pilot.press("J")
        await pilot.settle(lambda: lines(pilot)[0].startswith("second"))
        assert pilot.app.screen.query_one(Grid).cursor == first.run_id
        await pilot.press("K")
        await pilot.settle(lambda: lines(pilot)[0].startswith("first"))
        await pilot.press("end", "plus")
        await pilot.settle(lambda: lines(pilot)[0].startswith("third"))
        assert entry(third).priority == 1
        await pilot.press("minus", "minus")
        await pilot.settle(lambda: lines(pilot)[2].startswith("third"))
        assert [entry(run).priority for run in (first, second, third)] == [0, 0, -1]


async def test_keys_in_haste_go_by_what_the_ones_before_have_done(opened, root, waiting):
    first, second, third = waiting("first", "second", "third")
    entries.write(root, entry(first).model_copy(update={"priority": 5}))
    async with opened() as pilot:
        await pilot.press("end", "plus", "K", "plus")
        await pilot.settle(lambda: entry(third).priority == 6)
        assert [entry(run).priority for run in (first, second)] == [1, 0]
        await pilot.settle(lambda: lines(pilot)[0].startswith("third"))
        assert not pilot.app._notifications


async def test_moving_up_takes_the_other_runs_priority(opened, root, waiting):
    low, high = waiting("low", "high")
    entries.write(root, entry(high).model_copy(update={"priority": 5}))
    async with opened() as pilot:
        assert lines(pilot)[0].startswith("high")
        await pilot.press("end", "K")
        await pilot.settle(lambda: lines(pilot)[0].startswith("low"))
        assert (entry(low).priority, entry(high).priority) == (5, 0)


async def test_a_command_that_waits_is_dropped(opened, root, waiting):
    (run,) = waiting("one", hold=True)
    wanted = Later(name="null-of-it", order=0, user="x", after=(run.run_id,), verb="control")
    later.leave(root, wanted)
    async with opened() as pilot:
        await pilot.press("end", "x")
        await pilot.settle(lambda: len(lines(pilot)) == 1)
        assert later.read(root) == []


async def test_a_job_opens_and_the_places_stay_as_they_were_left(opened, root, waiting):
    waiting("one", "two")
    async with opened() as pilot:
        await pilot.press("end", "enter")
        await pilot.settle(lambda: isinstance(pilot.app.screen, RunScreen))
        await pilot.press("1")
        await pilot.settle(lambda: "2 groups, 2 runs" in screen(pilot.app))
        await pilot.press("2")
        await pilot.settle(lambda: isinstance(pilot.app.screen, RunScreen))
        await pilot.press("escape")
        await pilot.settle(lambda: isinstance(pilot.app.screen, QueueScreen))
        assert pilot.app.screen.query_one(Grid).cursor_index == 1


async def test_an_empty_queue_says_how_to_fill_it(opened):
    async with opened(size=(80, 24)) as pilot:
        assert "nothing runs or waits: press n to start something" in screen(pilot.app)
        await pilot.press("n")
        await pilot.settle(lambda: "no spec here: press n to begin one" in screen(pilot.app))


async def test_a_device_takes_one_line_whatever_runs_on_it(opened, monkeypatch):
    cpu = Gauge("CPU", "2 cores", 0.5, 2**30, 2**31, runs=("imp-s0" * 9, "imp-s1" * 9))
    monkeypatch.setattr(gauges.Watch, "read", lambda watch: Machine((cpu,), 2**36, 2**38))
    async with opened(size=(80, 24)) as pilot:
        await pilot.settle(lambda: "imp-s0imp" in screen(pilot.app))
        shown = screen(pilot.app).splitlines()
        (at,) = [place for place, line in enumerate(shown) if line.startswith(" CPU ")]
        assert shown[at].rstrip().endswith("…") and shown[at + 1].startswith(" disk ")


async def test_a_device_has_one_column_for_each_reading(opened, monkeypatch):
    now = Machine((Gauge("CPU", "2 cores", 0.5, 2**30, 2**31),), 2**36, 2**38)
    monkeypatch.setattr(gauges.Watch, "read", lambda watch: now)
    async with opened() as pilot:
        for columns in (1, 2):
            for _ in range(2):  # the same reading is shown again
                pilot.app.screen._look()
                await pilot.settle()
            (line,) = (one for one in screen(pilot.app).splitlines() if " CPU " in one)
            assert line.count("▅") == columns
            now = replace(now, free=2**35)


async def test_places_are_gone_to_by_the_mouse(running, root):
    async with running() as pilot:
        await pilot.click("TopBar", offset=(10, 0))
        await pilot.settle(lambda: isinstance(pilot.app.screen, QueueScreen))
