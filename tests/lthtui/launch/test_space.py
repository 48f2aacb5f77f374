"""Whether there is room for a run, counted against what others may still write."""

from __future__ import annotations

import dataclasses

import pytest
from rundirs import FakeRun

from engine import filesystems
from engine.events import Journal, RunEnded, RunStarted, Warned
from lthtui.launch import space

MB = 2**20


@pytest.fixture
def disk(monkeypatch):
    """Sets how much is free of a file system, in MB."""
    whole = filesystems.of

    def make(free: int, size: int = 100_000) -> None:
        sizes = {"free": free * MB, "size": size * MB}
        monkeypatch.setattr(
            filesystems, "of", lambda folder: dataclasses.replace(whole(folder), **sizes)
        )

    return make


def run_of(root, peak=None, seed=0, **changes):
    """A run folder whose worker counted `peak` MB."""
    run = FakeRun(root, "room", seed, **changes)
    if peak is not None:
        journal = Journal(run.directory.events_file, run.run_id, 1)
        journal.append(Warned(message="before it began"))
        known = {"levels": 1, "epochs": 1, "steps_per_epoch": 1, "images": {}, "subset": ""}
        known |= {"parameters": 1, "prunable": 1, "environment": {}}
        journal.append(RunStarted(**known, peak_bytes=peak * MB))
        journal.close()
    return run.directory


def test_a_run_that_nobody_knows_needs_the_reserve(tmp_path, disk):
    run = run_of(tmp_path)
    assert space.expected(run) == 0
    disk(free=200)
    assert space.shortage(tmp_path, run) is None
    disk(free=199)
    assert space.shortage(tmp_path, run) == "disk: 199MiB free, 200MiB needed"


def test_a_small_file_system_may_be_used_too(tmp_path, disk):
    run = run_of(tmp_path)
    disk(free=1, size=10)
    assert space.shortage(tmp_path, run) is None
    disk(free=0, size=10)
    assert space.shortage(tmp_path, run) == "disk: 0B free, 512KiB needed"


def test_a_run_that_has_begun_needs_what_it_has_not_written_yet(tmp_path, disk):
    run = run_of(tmp_path, peak=500)
    disk(free=650)
    assert "needed" in (space.shortage(tmp_path, run) or "")
    (run.path / "partial").mkdir()
    (run.path / "partial" / "weights").write_bytes(bytes(100 * MB))
    assert space.shortage(tmp_path, run) is None


def test_a_run_that_is_only_evaluated_needs_the_reserve(tmp_path, disk):
    run = run_of(tmp_path, peak=500)
    disk(free=200)
    assert "needed" in (space.shortage(tmp_path, run) or "")
    Journal(run.events_file, run.run_id, 1).append(RunEnded(status="finished"))
    assert space.shortage(tmp_path, run) is None


def test_a_new_run_needs_what_one_of_its_network_said(tmp_path, disk):
    run_of(tmp_path, peak=500, seed=1)
    run_of(tmp_path, peak=9000, seed=2, model="resnet32")
    new = run_of(tmp_path, seed=3)
    assert space.expected(new) == 500 * MB
    assert space.expected(run_of(tmp_path, seed=4, keep=["all"])) == 0
    disk(free=699)
    assert space.shortage(tmp_path, new) == "disk: 699MiB free, 700MiB needed"
    unreadable = run_of(tmp_path, seed=5)
    (unreadable.path / "identity.json").write_text("[]")
    assert space.shortage(tmp_path, unreadable) is None


def test_what_running_runs_may_still_write_is_not_free(tmp_path, disk):
    first, second = run_of(tmp_path, peak=300), run_of(tmp_path, peak=300, seed=1)
    disk(free=600)
    assert space.shortage(tmp_path, second) is None
    assert space.shortage(tmp_path, second, running=[second]) is None
    assert space.shortage(tmp_path, second, running=[first]) == "disk: 600MiB free, 800MiB needed"


def test_a_folder_that_cannot_be_looked_at_holds_nothing_up(tmp_path, monkeypatch):
    run = run_of(tmp_path)

    def gone(folder):
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(filesystems, "of", gone)
    assert space.shortage(tmp_path, run) is None
