"""Criterion 15: out of memory, killed, diverged: recorded, tried again or not, and not forever."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from engine.rundir import Status, last_end, status
from engine.spec import RunSpec
from lthtui.cli import main
from lthtui.launch import entries, lease, queue
from lthtui.monitor import Watched

STARVED = Path(__file__).parents[1] / "fakes" / "starved.py"
OUT_OF_MEMORY = "OutOfMemoryError: out of memory"


def _failing(cause: str, error: str = "no") -> list[dict]:
    ended = {"kind": "run_ended", "status": "failed", "cause": cause, "error": error}
    return [{"emit": ended}, {"exit": 1}]


def _failed_again(stage, run, retries: int) -> entries.Entry:
    """Wait until a run has been queued again by itself so often."""
    stage.wait(lambda: (entry := entries.find(run)) and entry.retries == retries)
    entry = entries.find(run)
    assert entry is not None
    return entry


def test_out_of_memory_is_tried_again_alone_ever_later_and_not_forever(stage, record_property):
    stage.play(*_failing("memory", OUT_OF_MEMORY))
    (run,) = stage.submit(0, launch={"retries": 3})
    delays = []
    for retries in (1, 2, 3):
        entry = _failed_again(stage, run, retries)
        delays.append(round(entry.not_before - last_end(run).time))
        assert entry.alone and status(run) == Status.QUEUED
        queue.release([run])  # which is not to wait that long
    stage.until(run, Status.FAILED)
    stage.wait(lambda: not stage.dispatched())
    assert (status(run), run.launch().attempt) == (Status.FAILED, 4)
    assert delays == [5, 20, 80]
    watched = Watched(run)
    watched.refresh()
    assert watched.error() == OUT_OF_MEMORY
    said = lease.log_file(stage.root).read_text()
    assert f"{run.run_id}: memory; tried again in 5 s (1 of 3)" in said
    record_property("attempts", 4)
    record_property("s before each retry", delays)


@pytest.mark.fault
def test_a_retry_waits_for_its_time(stage):
    stage.play(*_failing("memory"))
    (run,) = stage.submit(0, launch={"retries": 1})
    entry = _failed_again(stage, run, 1)
    stage.play({"emit": {"kind": "run_ended", "status": "finished"}})
    stage.until(run, Status.FINISHED)
    assert run.launch().time >= entry.not_before


@pytest.mark.parametrize(
    ("steps", "again"),
    [
        ([{"kill": 9}], True),
        (_failing("disk"), True),
        (_failing("diverged"), False),
        (_failing("data"), False),
        (_failing("spec"), False),
        (_failing("error"), False),
        ([{"exit": 1}], False),
    ],
)
def test_what_may_pass_is_tried_again_and_what_would_not_is_left(stage, steps, again):
    stage.play(*steps)
    (run,) = stage.submit(0, launch={"retries": 1})
    if again:
        assert not _failed_again(stage, run, 1).alone
        queue.release([run])
    stage.until(run, Status.FAILED)
    stage.wait(lambda: not stage.dispatched())
    assert (status(run), run.launch().attempt) == (Status.FAILED, 2 if again else 1)


def test_a_level_that_was_finished_begins_a_new_row_of_retries(stage):
    level = {"kind": "level_ended", "level": 0, "epoch": 1, "epochs": 1, "seconds": 1.0}
    level |= {"density": 1.0, "kept": 1, "total": 1}
    stage.play(*_failing("memory"))
    (run,) = stage.submit(0, launch={"retries": 2})
    _failed_again(stage, run, 1)
    stage.play({"emit": level}, *_failing("memory"))
    queue.release([run])
    stage.wait(lambda: run.launch().attempt == 2 and entries.find(run))
    assert entries.find(run).retries == 1


def test_a_person_retries_what_may_pass_and_forces_the_rest(stage, capsys):
    stage.play(s0=_failing("diverged"), s1=_failing("error"))
    diverged, failed = stage.submit(0, 1)
    for run in (diverged, failed):
        stage.until(run, Status.FAILED)
    stage.play({"emit": {"kind": "run_ended", "status": "finished"}})
    assert main(["retry", "--all", "--root", str(stage.root)]) == 1
    assert "lower learning rate; --force" in capsys.readouterr().err
    stage.until(failed, Status.FINISHED)
    assert (status(diverged), diverged.launch().attempt) == (Status.FAILED, 1)
    assert main(["retry", diverged.run_id, "--force", "--root", str(stage.root)]) == 0
    stage.until(diverged, Status.FINISHED)


@pytest.mark.fault
def test_a_real_worker_that_runs_out_of_memory_goes_on(stage, monkeypatch, record_property):
    monkeypatch.setenv("LTHTUI_WORKER", shlex.join([sys.executable, "-P", str(STARVED)]))
    spec = RunSpec.model_validate(
        {
            "name": "starved",
            "data": {"name": "digits", "per_class": 10, "validation": 100},
            "model": {"name": "resnet20", "width": 4, "shortcut": "B"},
            "sparsifier": {"name": "imp", "levels": 1, "rewind": "1ep"},
            "train": {"epochs": 6, "batch_size": 20},
            "tracking": "off",
            "launch": {"devices": "cpu", "retries": 3},
        }
    )
    hold = queue.Turn(hold=True)
    (submitted,) = queue.submit(stage.root, [spec], turn=hold)
    run, found = submitted.directory, []
    for retries, how in enumerate(("memory", "device", "kill"), start=1):
        (run.path / "starve").write_text(how)
        queue.release([run])
        _failed_again(stage, run, retries)
        ended = last_end(run)
        found.append((ended.cause if ended else None, run.exit().code))
    queue.release([run])
    stage.until(run, Status.FINISHED)
    assert found == [("memory", 1), ("memory", 1), (None, -9)]
    log = run.log_file.read_text()
    assert "lower train.batch_size or launch.per_device" in log
    record_property("causes", "MemoryError, torch.OutOfMemoryError, SIGKILL: all went on")
