"""A queue process that is killed in the middle of a start: what the next one makes of that."""

import os
import signal
import subprocess
import sys
import time

import pytest
from waiting import PATIENCE

from engine.launchspec import SlurmSpec
from engine.processes import Process
from engine.rundir import Status, status, write_json
from lthtui.launch import devices, entries, lease, queue
from lthtui.launch.dispatcher import Dispatcher

FINISH = {"emit": {"kind": "run_ended", "status": "finished"}}


@pytest.fixture(autouse=True)
def idle(monkeypatch):
    """Nobody dispatches, and there is a CPU to run on."""
    monkeypatch.setattr(lease, "ensure", lambda root: None)
    monkeypatch.setattr(devices, "gpus", lambda: ())


KILLED = """
import os, signal, sys
from pathlib import Path
from lthtui.launch.backends import local
from lthtui.launch.dispatcher import Dispatcher

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def unlink(path, missing_ok=False):
    die() if path.parent.name == "queue" else real(path, missing_ok=missing_ok)

root, at = sys.argv[1:]
real = Path.unlink
if at == "release":
    local.LocalWorker.release = die
else:
    Path.unlink = unlink
Dispatcher(Path(root)).dispatch()
"""


def kill_at(stage, run, at="unlink"):
    """Kill a queue process right before it takes the run that it starts out of the queue."""
    command = [sys.executable, "-c", KILLED, str(stage.root), at]
    assert subprocess.run(command, timeout=PATIENCE).returncode == -signal.SIGKILL
    assert run.launch() and run.queue_file.exists()
    stage.wait(lambda: not run.launch().process.alive)


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        (
            [{"emit": {"kind": "run_ended", "status": "failed", "error": "no"}}, {"exit": 1}],
            "failed",
        ),
        ([{"emit": {"kind": "run_ended", "status": "stopped"}}], "stopped"),
        ([{"exit": 1}], "failed"),
        ([FINISH], "finished"),
    ],
)
def test_a_run_whose_start_killed_the_queue_process_is_not_started_again(stage, steps, state):
    stage.play(*steps)
    (run,) = stage.submit(0)
    kill_at(stage, run)
    dispatch_anew(stage)
    assert (status(run), run.launch().attempt) == (state, 1)
    if [one.action for one in queue.resume([run])] == ["resumed"]:  # which is another matter
        kill_at(stage, run)
        dispatch_anew(stage)
        assert run.launch().attempt == 2 and not run.queue_file.exists()


def dispatch_anew(stage):
    """What a queue process does that is started now."""
    Dispatcher(stage.root).run(lease.take(stage.root))


def test_a_start_that_killed_the_queue_process_is_retried_as_any_other(stage):
    stage.play({"kill": 9})
    (run,) = stage.submit(0, launch={"retries": 1})
    kill_at(stage, run)
    stage.play(FINISH)
    found = Dispatcher(stage.root)
    found.recall()
    found.collect()
    entry = entries.find(run)
    assert (entry.retries, entry.attempt) == (1, 1) and entry.not_before > time.time()
    Dispatcher(stage.root).recall()  # it stays, for its attempt is the next one
    assert entries.find(run) == entry


def test_a_run_that_was_never_let_go_is_started(stage):
    (run,) = stage.submit(0)
    kill_at(stage, run, "release")
    dispatch_anew(stage)
    assert (status(run), run.launch().attempt, run.exit().attempt) == (Status.FINISHED, 2, 2)


def test_entries_of_older_versions_and_of_jobs_are_left_alone(stage):
    """Nobody knows what an older one was queued after, and a cluster starts its jobs anew."""
    (run,) = stage.submit(0)
    entry = entries.find(run)
    launch = {"attempt": 2, "backend": "slurm", "device": "cpu", "threads": 1, "time": 0}
    process = Process.of(os.getpid()).model_dump() | {"start": 1}
    write_json(run.launch_file, {**launch, "process": process})
    write_json(run.exit_file, {"attempt": 2, "code": 75, "time": 0})
    assert entry.attempt == 0 and entries.started(entry, run)
    assert not entries.started(entry.model_copy(update={"attempt": None}), run)
    job = entry.launch.model_copy(update={"slurm": SlurmSpec()})
    assert not entries.started(entry.model_copy(update={"launch": job}), run)
    with entries.locked(stage.root):
        entries.change(run, host="elsewhere")
    Dispatcher(stage.root).recall()
    assert run.queue_file.exists()
    with entries.locked(stage.root):
        entries.change(run, host="")
    Dispatcher(stage.root).recall()
    assert not run.queue_file.exists()
