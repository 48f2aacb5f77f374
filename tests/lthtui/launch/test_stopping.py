"""What is said while runs are stopped; tests of the queue say what stopping does."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from waiting import PATIENCE

from engine.rundir import RunDirectory, Status, status, write_json
from lthtui.launch import stopping


@pytest.fixture
def suspended(stage):
    """Two runs whose workers are suspended; they are let go on in the end."""
    stage.play({"print": "on"}, {"sleep": 600})
    runs = stage.submit(0, 1, launch={"devices": "cpu", "per_device": 2})
    for run in runs:
        stage.wait(lambda run=run: run.log_file.exists() and b"on" in run.log_file.read_bytes())
        os.kill(run.heartbeat().process.pid, signal.SIGSTOP)
    yield runs
    for run in runs:
        if status(run) == Status.RUNNING:
            os.kill(run.heartbeat().process.pid, signal.SIGCONT)


def silence(run):
    """Have a worker's last sign of life long ago."""
    beat = run.heartbeat()
    old = beat.model_copy(update={"time": time.time() - 60})
    write_json(run.heartbeat_file, old.model_dump())


def test_what_takes_long_is_said_once_with_its_end(suspended, monkeypatch):
    monkeypatch.setattr(stopping, "SILENCE", 0.0)
    told = []
    silence(suspended[0])
    stopping.cancel(suspended, grace=0.5, tell=told.append)
    assert told == [
        "waiting up to 0.5 s for 2 runs to save a checkpoint; then they are killed"
        f" ({suspended[0].run_id} shows no sign of life)"
    ]
    assert [status(run) for run in suspended] == [Status.STOPPED] * 2


@pytest.mark.parametrize("verb", ["cancel", "pause"])
def test_who_waits_for_a_stalled_worker_is_told(suspended, spawn, verb):
    run = suspended[0]
    silence(run)
    command = [sys.executable, "-m", "lthtui", verb, run.run_id, f"--root={run.root}"]
    client = spawn(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert client.stderr.readline() == (
        f"waiting up to 30 s for {run.run_id} to save a checkpoint; then it is killed"
        " (it shows no sign of life)\n"
    )
    os.kill(run.heartbeat().process.pid, signal.SIGCONT)
    out, err = client.communicate(timeout=PATIENCE)
    assert (client.returncode, err) == (0, "")
    assert out == f"{run.run_id} {'paused' if verb == 'pause' else 'stopped'}\n"
    assert run.exit().code == 75


def test_what_ends_at_once_needs_no_word(stage, monkeypatch):
    monkeypatch.setattr(stopping, "SILENCE", 600.0)
    stage.play({"print": "on"}, {"sleep": 600})
    (run,) = stage.submit(0)
    stage.until(run, Status.RUNNING)
    told = []
    stopping.cancel([run], tell=told.append)
    assert (told, status(run)) == ([], Status.STOPPED)


def test_a_copy_of_a_root_has_nobody_to_stop(stage, tmp_path):
    stage.play({"print": "on"}, {"sleep": 600})
    (run,) = stage.submit(0)
    stage.wait(lambda: run.log_file.exists() and b"on" in run.log_file.read_bytes())
    shutil.copytree(run.root / "runs", tmp_path / "copy" / "runs")
    copy = RunDirectory.open(tmp_path / "copy" / "runs" / run.run_id)
    assert status(copy) == Status.LOST
    stopping.cancel([copy])
    assert (status(copy), status(run)) == (Status.LOST, Status.RUNNING)
    stopping.cancel([run])
