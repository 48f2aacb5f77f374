"""Run folders as they are read: what is told of a run, and when a change of it is noticed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable

import pytest
from happened import WHOLE, epoch, level_started, started

from engine.events import Journal, RunEnded
from engine.processes import Process
from engine.rundir import STALE_SECONDS, RunDirectory, Status, write_json
from engine.spec import RunSpec
from lthtui import identity, specfiles
from lthtui.monitor import Monitor, Watched, describe


@pytest.fixture
def make(tmp_path, stage):
    """Make a run's folder as `submit` does, with these events in its journal."""

    def make(*happened, seed=0):
        (spec,) = stage.specs(seed, sparsifier={"name": "imp", "levels": 1}, experiment="e")
        run = RunDirectory(stage.root / "runs" / f"20260101-play-{spec.digest[:6]}-s{seed}")
        run.path.mkdir(parents=True)
        run.spec_file.write_text(specfiles.write(spec))
        identity.store(run, spec)
        add(run, *happened)
        return run

    return make


def add(run, *happened):
    journal = Journal(run.events_file, run.run_id, 1)
    for event in happened:
        journal.append(event)
    journal.close()


def lives(run, at=None, attempt=1):
    process = Process.of(os.getpid()).model_dump()
    beat = {"attempt": attempt, "process": process, "time": at or time.time()}
    write_json(run.heartbeat_file, beat)


def test_the_object_of_a_run_has_every_field(make):
    run = make(*WHOLE)
    run.mlflow_file.write_text('{"mlflow_run_id": "abc"}')
    run.level(1).mkdir(parents=True)
    (run.level(1) / "ticket.safetensors").touch()  # the other level's weights were dropped
    found = describe(run)
    assert json.loads(json.dumps(found)) == found
    spec = run.spec()
    facts = {
        "run_id": run.run_id,
        "name": "play",
        "experiment": "e",
        "group": spec.group,
        "family": spec.family,
        "flops": 1000.0,
        "digest": spec.digest,
        "draw": 0,
        "fold": None,
        "seed": 0,
        "status": "finished",
        "stalled": False,
        "user": "",
        "directory": str(run.path),
        "mlflow_run_id": "abc",
        "sparsifier": "imp",
        "dataset": "digits",
        "model": "resnet20",
        "controls": None,
        "also_controls": [],
        "extends": None,
        "error": None,
        "note": "",
        "display_name": None,
        "archived": False,
        "tags": {},
    }
    assert facts.items() <= found.items()
    assert found["winning"] == {
        "level": 1,
        "density": 0.5,
        "val_accuracy": 0.75,
        "test_accuracy": 0.5,
        "ticket": str(run.path / "levels/01/ticket.safetensors"),
        "beats_dense": True,
    }
    assert set(found) == {*facts, "evaluations", "unevaluated", "levels", "winning"}
    assert found["evaluations"] == found["unevaluated"] == []
    assert found["levels"][0] == {
        "level": 0,
        "density": 1.0,
        "kept": 8,
        "total": 8,
        "epochs": 2,
        "val_accuracy": 0.5,
        "test_accuracy": 0.25,
        "val_balanced_accuracy": None,
        "test_balanced_accuracy": None,
        "seconds": 20.0,
        "inference_flops": 1000.0,
        "training_flops": 6e6,
        "device_seconds": None,
        "joules": None,
        "ticket": None,
    }


def test_a_run_that_has_not_begun_has_the_same_fields(make):
    run, done = make(), make(*WHOLE, seed=1)
    found = describe(run)
    assert set(found) == set(describe(done))
    assert (found["levels"], found["winning"], found["mlflow_run_id"]) == ([], None, None)
    assert found["status"] == "stopped"


def test_a_run_that_somebody_else_made_is_described_from_its_spec(make):
    run = make(*WHOLE)
    expected = describe(run)
    (run.path / identity.FILE).unlink()
    assert describe(run) == expected
    (run.path / identity.FILE).write_text("{")
    assert describe(run) == expected


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null"])
def test_a_broken_link_to_mlflow_is_none(make, text):
    run = make()
    run.mlflow_file.write_text(text)
    assert describe(run)["mlflow_run_id"] is None


@pytest.mark.parametrize(
    ("code", "event", "expected"),
    [
        (1, "loss is nan\nin two lines \x1b[2J", "loss is nan in two lines \\x1b[2J"),
        (1, None, "exit code 1"),
        (-9, None, "ran out of memory"),
        (-11, None, "signal 11"),
        (75, None, None),
    ],
)
def test_an_error_is_one_clean_line(make, code, event, expected):
    run = make(started())
    if event:
        add(run, RunEnded(status="failed", error=event))
    write_json(run.exit_file, {"attempt": 1, "code": code, "time": 1.0})
    error = describe(run)["error"]
    assert error is None if expected is None else expected in error and "\n" not in error


def test_an_error_of_an_earlier_attempt_is_not_that_of_the_newest(make):
    run = make(started(), RunEnded(status="failed", error="disk full"))
    write_json(run.exit_file, {"attempt": 1, "code": 1, "time": 1.0})
    assert describe(run)["error"] == "disk full"
    lives(run, attempt=2)
    run.heartbeat_file.write_text(run.heartbeat_file.read_text().replace(str(os.getpid()), "1"))
    write_json(run.exit_file, {"attempt": 2, "code": -9, "time": 1.0})
    assert "signal 9" in describe(run)["error"]


def test_a_lost_run_says_so(make):
    run = make(started())
    gone = Process.of(os.getpid()).model_copy(update={"start": 1})
    write_json(run.heartbeat_file, {"attempt": 1, "process": gone.model_dump(), "time": 1.0})
    found = describe(run)
    assert found["status"] == "lost" and "vanished" in found["error"]


def test_only_what_changed_is_reported(make, stage):
    quiet, busy = make(*WHOLE), make(started(), seed=1)
    lives(busy)
    monitor = Monitor(stage.root)
    assert {one.run_id for one in monitor.poll()} == {quiet.run_id, busy.run_id}
    assert monitor.poll() == []
    add(busy, level_started(0), epoch(1))
    (changed,) = monitor.poll()
    assert (changed.run_id, changed.progress.epoch) == (busy.run_id, 1)
    lives(busy)
    assert monitor.poll() == []  # a heartbeat changes nothing that shows
    add(busy, RunEnded(status="finished"))
    busy.heartbeat_file.unlink()
    (changed,) = monitor.poll()
    assert changed.status == Status.FINISHED
    assert monitor.poll() == []


def test_a_run_that_stops_giving_signs_of_life_is_stalled_but_runs(make, stage):
    run = make(started())
    lives(run)
    monitor = Monitor(stage.root)
    assert not monitor.poll()[0].stalled
    lives(run, at=time.time() - STALE_SECONDS - 1)
    (changed,) = monitor.poll()
    assert (changed.status, changed.stalled) == (Status.RUNNING, True)
    lives(run)
    assert not monitor.poll()[0].stalled


def test_a_run_that_is_queued_again_or_started_by_hand_is_noticed(make, stage):
    run = make(*WHOLE)
    monitor = Monitor(stage.root)
    monitor.poll()
    run.queue_file.parent.mkdir()
    run.queue_file.write_text("{}")
    assert monitor.poll()[0].status == Status.QUEUED
    run.queue_file.unlink()
    assert monitor.poll()[0].status == Status.FINISHED
    lives(run, attempt=2)
    assert monitor.poll()[0].status == Status.RUNNING
    run.heartbeat_file.unlink()
    monitor.poll()


def test_what_changes_within_one_tick_of_the_clock_is_noticed(make, stage):
    run = make(*WHOLE)
    monitor = Monitor(stage.root)
    tick = time.time_ns() + 60_000_000_000  # not over yet, however long the lines below take
    os.utime(run.path, ns=(tick, tick))
    assert monitor.poll()[0].status == Status.FINISHED
    lives(run, attempt=2)
    os.utime(run.path, ns=(tick, tick))
    assert monitor.poll()[0].status == Status.RUNNING
    run.heartbeat_file.unlink()


def test_a_journal_that_is_cut_is_told_anew(make, stage):
    run = make(started(), level_started(0), epoch(1), epoch(2, val=0.4))
    watched = Watched(run)
    assert watched.progress.epoch == 2
    lines = run.events_file.read_bytes().splitlines(keepends=True)
    run.events_file.write_bytes(b"".join(lines[:3]))
    assert watched.progress.epoch == 1
    assert watched.progress.val_accuracy is None
    add(run, epoch(2, val=0.7))
    assert (watched.progress.epoch, watched.progress.val_accuracy) == (2, 0.7)


def test_folders_come_and_go(make, stage):
    monitor = Monitor(stage.root)
    assert monitor.poll() == []
    run = make(*WHOLE)
    (stage.root / "runs" / "notes").mkdir()
    assert [one.run_id for one in monitor.poll()] == [run.run_id]
    for file in run.path.iterdir():
        file.unlink()
    run.path.rmdir()
    assert monitor.poll() == [] and monitor.runs == {}


def test_only_some_runs_are_watched_on_request(make, stage):
    make(*WHOLE)
    other = make(seed=1)
    monitor = Monitor(stage.root, only=[other.run_id])
    assert [one.run_id for one in monitor.poll()] == [other.run_id]


def test_a_run_without_its_curves_is_otherwise_the_same(make):
    run = make(*WHOLE)
    light, full = Watched(run, curves=False), Watched(run)
    for watched in (light, full):
        watched.refresh()
    assert light.describe() == full.describe()
    assert light.progress.levels[0].train_losses == []
    assert full.progress.levels[0].train_losses == [1.0, 0.5]


@pytest.mark.parametrize(
    ("tracking", "note", "mirrored"),
    [
        ("local", None, False),
        ("local", '{"mlflow_run_id": "x", "offset": 10}', True),
        ("local", '{"mlflow_run_id": "x", "offset": 13}', True),  # half a line is none
        ("local", '{"mlflow_run_id": "x", "offset": 9}', False),
        ("local", "[]", False),
        ("local", '{"offset": 10}', False),
        ("off", None, True),
    ],
)
def test_it_knows_whether_mlflow_has_everything(
    tracking: str,
    note: str | None,
    mirrored: bool,
    tiny: Callable[..., RunSpec],
    run_folder: Callable[..., RunDirectory],
) -> None:
    directory = run_folder(tiny(tracking=tracking))
    directory.events_file.write_bytes(b"012345678\n012")
    if note is not None:
        directory.mlflow_file.write_text(note)
    assert Watched(directory).mirrored() is mirrored


def test_a_run_that_was_stopped_since_it_failed_is_not_over_before_that_is_seen(make):
    run = make()
    write_json(run.exit_file, {"attempt": 1, "code": -9, "time": 1.0})
    watched = Watched(run)
    watched.refresh()
    assert watched.status == Status.FAILED and watched.over
    run.ask("stop")
    assert not watched.over
    watched.refresh()
    assert watched.status == Status.STOPPED and watched.over
