"""Criterion 17: the clock jumps by a day, forward and back."""

from __future__ import annotations

import itertools
import os
import time

import pytest
from inprocess import finish

from engine.events import EpochEnded, LevelEnded, Tail
from engine.processes import Process
from engine.rundir import Heartbeat, Launch, Status, status, write_json
from lthtui.launch import entries, queue, stopping
from lthtui.monitor import Watched

DAY = 86_400.0
FINISH = {"emit": {"kind": "run_ended", "status": "finished"}}


def _numbers(run):
    drop = {"time", "seconds", "device_seconds", "joules", "images_per_second", "run_id"}
    found = [e for e in Tail(run.events_file).read() if isinstance(e, EpochEnded | LevelEnded)]
    return [event.model_dump(exclude=drop) for event in found], found


def test_training_measures_no_time_by_the_clock_of_the_day(
    tiny, run_folder, monkeypatch, record_property
):
    calm, jumpy = run_folder(tiny(), run_id="calm"), run_folder(tiny(), run_id="jumpy")
    finish(calm)
    now, jumps = time.time, itertools.cycle((DAY, 0.0, -DAY))
    monkeypatch.setattr(time, "time", lambda: now() + next(jumps))
    finish(jumpy)
    expected, _ = _numbers(calm)
    numbers, events = _numbers(jumpy)
    assert numbers == expected
    assert [e.epoch for e in events] == sorted(e.epoch for e in events)
    for event in events:
        if isinstance(event, LevelEnded):
            assert 0 < event.seconds < 600
        else:
            assert 0 < event.images_per_second < 1e7
    watched = Watched(jumpy)
    watched.refresh()
    assert watched.status == Status.FINISHED
    record_property("jumps by a day", sum(1 for _ in Tail(jumpy.events_file).read()))


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_a_run_of_this_machine_is_never_lost_by_the_clock(tiny, run_folder, monkeypatch, jump):
    run, me, now = run_folder(tiny()), Process.of(os.getpid()), time.time()
    launch = Launch(attempt=1, backend="local", process=me, device="cpu", threads=1, time=now)
    write_json(run.launch_file, launch.model_dump())
    beat = Heartbeat(attempt=1, process=me, time=now)
    write_json(run.heartbeat_file, beat.model_dump())
    monkeypatch.setattr(time, "time", lambda: now + jump)
    assert status(run) == Status.RUNNING


@pytest.mark.parametrize("verb", ["cancel", "pause"])
def test_a_request_counts_also_when_the_clock_was_set_back(stage, monkeypatch, verb):
    stage.play({"ignore": "TERM"}, {"print": "deaf"}, {"wait": "never"})
    (run,) = stage.submit(0, launch={"retries": 3})
    stage.wait(lambda: run.log_file.exists() and "deaf" in run.log_file.read_text())
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - DAY)
    getattr(stopping, verb)([run], grace=0.1)
    assert status(run) == {"cancel": Status.STOPPED, "pause": Status.PAUSED}[verb]
    stage.wait(lambda: not stage.dispatched())
    assert entries.find(run) is None


def test_an_old_request_stops_no_newer_attempt_after_the_clock_was_set_back(stage, monkeypatch):
    stage.play({"print": "on"}, {"wait": "go"}, {"exit": 1})
    (run,) = stage.submit(0)
    stage.wait(lambda: run.log_file.exists() and "on" in run.log_file.read_text())
    stopping.cancel([run])
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - DAY)
    stage.allow("go")
    queue.resume([run])
    stage.until(run, Status.FAILED)
