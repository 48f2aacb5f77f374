"""Moved and copied roots: what MLflow knows of artifacts is changed as a whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from mirrored import expected_rows, known, run_of, sizes

from engine import relocation, storefile
from engine.errors import StoreError
from engine.rundir import RunDirectory
from engine.tracking import ensure_store, sync

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own


def places(root: Path) -> set[str]:
    """Every place of artifacts in a store."""
    columns = ["experiments.artifact_location", "runs.artifact_uri"]
    found = set()
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        for table, column in (name.split(".") for name in columns):
            found |= {place for (place,) in store.execute(f"SELECT {column} FROM {table}")}
        query = "SELECT artifact_location FROM logged_models"
        found |= {place for (place,) in store.execute(query)}
        query = "SELECT value FROM tags WHERE key = 'lthtui.directory'"
        found |= {f"file://{place}" for (place,) in store.execute(query)}
    return found


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder, with its size and when it was changed."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in files}


@pytest.fixture
def logged(root):
    """A run whose journal, tickets and log are in MLflow."""
    run = run_of(root).start().train(3).end()
    sync(run.directory)
    return run


def test_a_moved_root_takes_its_artifacts_along(root, logged, tmp_path, capsys):
    rows, counts = expected_rows(logged), sizes(root)
    moved = tmp_path / "an other plåce"
    root.rename(moved)
    directory = RunDirectory(moved / "runs" / logged.run_id)
    report = sync(directory)
    assert not root.exists() and known(moved) == rows and sizes(moved) == counts
    start = moved.as_uri()
    assert all(place.startswith((start, f"file://{moved}/")) for place in places(moved))
    from mlflow import MlflowClient

    client = MlflowClient(report.tracking_uri)
    files = client.list_artifacts(report.mlflow_run_id, "tickets/level-02")
    assert len(files) == 2
    note = client.get_run(report.mlflow_run_id).data.tags["mlflow.note.content"]
    assert f"`lthtui run {directory.spec_file}`" in note
    (backup,) = moved.glob("mlflow.db.*.bak")
    assert f"{root} was moved to {moved}; 6 places" in capsys.readouterr().err
    with contextlib.closing(sqlite3.connect(backup)) as store:
        (old,) = store.execute("SELECT artifact_uri FROM runs").fetchone()
        assert old.startswith(root.as_uri())


def test_a_copy_never_writes_into_its_original(root, logged, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    directory, before = RunDirectory(copy / "runs" / logged.run_id), tree(root)
    command = f"`lthtui doctor --fix --root {copy}` makes the copy stand on its own"
    with pytest.raises(StoreError, match=f"would go to {root}, which still exists.*{command}"):
        sync(directory)
    assert tree(root) == before
    assert relocation.survey(copy).rows == {"experiments": 2, "runs": 1, "logged_models": 3}
    assert relocation.relocate(copy).backup.is_file()
    assert relocation.survey(copy) is None and relocation.relocate(copy) is None
    (copy / "artifacts" / "mirror.me").rename(tmp_path / "gone")
    sync(directory)
    assert tree(root) == before and known(copy) == expected_rows(logged)
    assert len(list(copy.rglob("artifacts/**/ticket.safetensors"))) == 4


def test_a_root_reached_by_another_path_was_not_moved(root, logged, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(root)
    sync(RunDirectory(link / "runs" / logged.run_id))
    assert relocation.survey(link) is None and not list(root.glob("*.bak"))
    assert {place for place in places(root) if "/link/" in place} == {
        f"file://{link}/runs/{logged.run_id}"
    }


def test_what_others_placed_elsewhere_stays_there(root, tmp_path):
    from mlflow import MlflowClient

    theirs = [f"file://{root}2/artifacts/b", "s3://bucket/artifacts/c", f"file://{root}/elsewhere"]
    client = MlflowClient(ensure_store(root))
    for name, place in zip("bcd", theirs, strict=True):
        client.create_run(client.create_experiment(name, place))
    moved = root.rename(tmp_path / "moved")
    with contextlib.closing(sqlite3.connect(moved / "mlflow.db")) as store:
        store.execute("UPDATE experiments SET name = 'other' WHERE name = 'b'")
        store.commit()
    done = relocation.relocate(moved)
    assert done.homes == (root,) and done.rows == {"experiments": 1}
    found = {place for place in places(moved) if not place.startswith(moved.as_uri())}
    assert {place for place in found if place.count("/artifacts") < 2} >= set(theirs)


def test_killed_half_way_nothing_was_changed(root, logged, tmp_path):
    moved = root.rename(tmp_path / "moved")
    before = places(moved)
    code = (
        "import os, sys; from pathlib import Path; from engine import relocation as r\n"
        "whole = r._replace\n"
        "def half(*a): whole(*a); os.kill(os.getpid(), 9)\n"
        "r._replace = half; r.relocate(Path(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code, str(moved)])
    assert done.returncode == -signal.SIGKILL
    assert places(moved) == before
    assert relocation.relocate(moved).rows["runs"] == 1
    assert before.isdisjoint(places(moved))


def test_many_that_find_it_moved_change_it_once(root, logged, tmp_path, capsys):
    moved = root.rename(tmp_path / "moved")
    together, failures = threading.Barrier(4), []

    def ensure():
        together.wait()
        try:
            ensure_store(moved)
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=ensure) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and len(list(moved.glob("*.bak"))) == 1
    assert capsys.readouterr().err.count("was moved to") == 1


def test_a_store_that_cannot_be_changed_is_left_as_it_was(root, logged, tmp_path, monkeypatch):
    moved = root.rename(tmp_path / "moved")
    before = places(moved)
    monkeypatch.setattr(relocation, "PATIENCE_SECONDS", 0.1)
    with contextlib.closing(sqlite3.connect(moved / "mlflow.db", isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked.*doctor --fix. tries again"):
            ensure_store(moved)
    assert places(moved) == before and not list(moved.glob("*.bak"))


def test_the_installed_versions_history_is_known(tmp_path):
    expected = storefile.expected_version()
    assert "newer" in storefile.foreign(tmp_path, "f00d")
    assert "mlflow db upgrade" in storefile.foreign(tmp_path, "451aebb31d03")
    assert "newer" not in storefile.foreign(tmp_path, "") and os.sep not in expected
