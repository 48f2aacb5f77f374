"""Attempts at a run: who may write, and what becomes of one that was replaced."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
from waiting import wait_for

from engine import attempts, checkpoints
from engine.attempts import Attempt
from engine.errors import Fenced, UsageError
from engine.processes import Process
from engine.rundir import RunDirectory

# Another worker: says when it holds the run, and works until it is replaced or killed.
OTHER = """
import sys, time
from engine import attempts
from engine.attempts import Attempt
from engine.rundir import RunDirectory
attempts.HEARTBEAT_SECONDS = 600 if sys.argv[3] == "hung" else 0.05
attempt = Attempt(RunDirectory(sys.argv[1]), int(sys.argv[2]))
print("holds it", flush=True)
while not attempt.replaced or sys.argv[3] == "hung":
    time.sleep(0.01)
attempt.close()
"""


@pytest.fixture
def run(tmp_path):
    return RunDirectory(tmp_path)


@pytest.fixture
def other(run, spawn):
    """Starts another worker on the run, and waits until it holds it."""

    def start(number, how="busy"):
        process = spawn(
            [sys.executable, "-c", OTHER, str(run.path), str(number), how],
            stdout=subprocess.PIPE,
        )
        assert process.stdout.readline() == b"holds it\n"
        wait_for(run.heartbeat_file.exists)
        return process

    return start


@pytest.fixture
def take(run):
    """Makes attempts, which are given up at the test's end."""
    made = []

    def start(number=None):
        made.append(Attempt(run, number))
        return made[-1]

    yield start
    for attempt in made:
        attempt.close()


def test_attempts_count_from_one_and_go_on_from_the_highest(run, take):
    first = take()
    assert first.number == 1
    first.close = lambda: None  # given up by hand, below
    Attempt.close(first)
    assert take(5).number == 5
    assert attempts.current(run) == 5


def test_by_hand_nobody_is_replaced(run, other, take):
    process = other(3)
    with pytest.raises(UsageError, match="another worker is on this run"):
        take()
    assert attempts.current(run) == 3 and process.poll() is None


def test_a_launchers_attempt_takes_over_from_one_that_still_lives(run, other, take):
    process = other(1)
    attempt = take(2)
    assert process.wait(timeout=60) == 0  # it noticed, and left by itself
    attempt.check()
    wait_for(lambda: run.heartbeat() and run.heartbeat().process.pid == os.getpid())


def test_one_that_does_not_leave_is_killed(run, other, take, monkeypatch):
    monkeypatch.setattr(attempts, "LEAVING_SECONDS", 0.2)
    process = other(1, "hung")
    take(2).check()
    assert process.wait(timeout=60) == -9


def test_a_lock_that_nobody_here_holds_is_not_waited_for_forever(run, other, take, monkeypatch):
    monkeypatch.setattr(attempts, "LEAVING_SECONDS", 0.2)
    monkeypatch.setattr(attempts, "DYING_SECONDS", 0.2)
    process = other(1, "hung")
    run.heartbeat_file.unlink()  # as of another host: no process to be found here
    take(2).check()
    assert process.poll() is None


def test_an_older_attempt_is_refused_and_lowers_no_fence(run, take):
    take(4)
    with pytest.raises(Fenced, match="attempt 3 was replaced by attempt 4"):
        Attempt(run, 3)
    assert attempts.current(run) == 4


def test_a_replaced_attempt_is_told_and_leaves_the_new_ones_heartbeat_alone(run, monkeypatch):
    monkeypatch.setattr(attempts, "HEARTBEAT_SECONDS", 0.01)
    old = Attempt(run, 1)
    run.attempt_file.write_text("2")
    wait_for(lambda: old.replaced)
    assert not any(thread.name == "heartbeat" for thread in threading.enumerate())
    run.heartbeat_file.write_text("the new one's")
    with pytest.raises(Fenced):
        old.check()
    old.close()
    assert run.heartbeat_file.read_text() == "the new one's"


def test_a_checkpoint_of_a_replaced_attempt_does_not_appear(run, take, monkeypatch):
    attempt = take(1)
    monkeypatch.setattr(checkpoints, "fence", attempt.check)
    checkpoints.write(run.level(0), {"mask": b"1", "ticket": b"2"}, {"of": "1"})
    run.attempt_file.write_text("2")
    with pytest.raises(Fenced):
        checkpoints.write(run.level(0), {"mask": b"3"}, {"of": "late"})
    with pytest.raises(Fenced):
        checkpoints.write(run.level(1), {"mask": b"3"}, {"of": "late"})
    with pytest.raises(Fenced):
        checkpoints.drop(run.level(0), "ticket")
    assert checkpoints.read(run.level(0)) == ({"mask": b"1", "ticket": b"2"}, {"of": "1"})
    assert not run.level(1).exists()


def test_a_process_is_known_by_more_than_its_pid(run, other, take, monkeypatch):
    """A heartbeat that names a reused pid gets nobody killed."""
    monkeypatch.setattr(attempts, "LEAVING_SECONDS", 0.2)
    monkeypatch.setattr(attempts, "DYING_SECONDS", 0.2)
    process = other(1, "hung")
    beat = run.heartbeat()
    stale = beat.process.model_copy(update={"start": Process.of(process.pid).start - 1})
    run.heartbeat_file.write_text(beat.model_copy(update={"process": stale}).model_dump_json())
    take(2).check()
    assert process.poll() is None
