"""The store: made once and whole, whatever is killed; refused with what to do where it can't be."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
import sys
import time

import pytest
from mirrored import expected_rows, known, run_of
from waiting import PATIENCE, wait_for

from engine import filesystems, mlstore, storefile
from engine.errors import StoreError
from engine.tracking import ensure_store, sync

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own
NFS = 0x6969
ENSURE = "import sys; from engine.tracking import *; ensure_store(sys.argv[1])"


def test_the_store_is_what_mlflow_makes_of_it(tmp_path):
    uri = ensure_store(tmp_path / "new" / "mlruns")
    root = tmp_path / "new" / "mlruns"
    assert uri == f"sqlite:///{root}/mlflow.db"
    from mlflow import MlflowClient
    from mlflow.store.db.utils import _get_latest_schema_revision

    assert storefile.expected_version() == _get_latest_schema_revision()
    default = MlflowClient(uri).get_experiment("0")
    assert default.artifact_location == (root / "artifacts" / "0").as_uri()
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        assert store.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert not list(root.glob(".mlflow.db.tmp*"))


def test_no_write_ahead_log_where_memory_is_not_shared(tmp_path, monkeypatch):
    monkeypatch.setattr(filesystems, "_magic", lambda folder: NFS)
    ensure_store(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        assert store.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_store_that_came_to_a_network_loses_its_log_and_nothing_else(root, monkeypatch):
    run = run_of(root).start().train(3).end()
    sync(run.directory)
    assert storefile.has_log(root / "mlflow.db")
    monkeypatch.setattr(filesystems, "_magic", lambda folder: NFS)
    monkeypatch.setattr(mlstore, "PATIENCE_SECONDS", 0.1)
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        store.execute("SELECT * FROM runs").fetchone()
        with pytest.raises(StoreError, match="unsafe on this network.*close what has it open"):
            ensure_store(root)
    ensure_store(root)
    assert not storefile.has_log(root / "mlflow.db") and known(root) == expected_rows(run)


def test_a_network_that_keeps_nobody_apart_gets_no_store(tmp_path, monkeypatch):
    monkeypatch.setattr(filesystems, "_magic", lambda folder: NFS)
    monkeypatch.setattr(filesystems, "_flock", lambda file: None)
    with pytest.raises(StoreError, match="does not keep two processes apart.*--root"):
        ensure_store(tmp_path)


@pytest.mark.parametrize("turn", range(2))
def test_eight_processes_make_one_store(tmp_path, turn, spawn):
    command = [sys.executable, "-P", "-c", ENSURE, str(tmp_path)]
    processes = [spawn(command) for _ in range(8)]
    assert [process.wait(PATIENCE) for process in processes] == [0] * 8
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        assert store.execute("SELECT experiment_id FROM experiments").fetchall() == [(0,)]
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_killed_while_creating(tmp_path, delay, spawn):
    process = spawn([sys.executable, "-P", "-c", ENSURE, str(tmp_path)])
    wait_for(lambda: list(tmp_path.glob("*mlflow.db*")) or process.poll() is not None)
    time.sleep(delay)
    process.kill()
    process.wait()
    ensure_store(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert not list(tmp_path.glob(".mlflow.db.tmp*"))


@pytest.mark.parametrize(
    "version, what",
    [
        ("451aebb31d03", "back the file up, then `mlflow db upgrade sqlite:///{root}/mlflow.db`"),
        ("f00dfeed0000", "by a newer MLflow .*`pip install --upgrade mlflow`"),
    ],
)
def test_a_store_of_another_mlflow_is_refused_with_what_to_do(root, version, what):
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        store.execute("UPDATE alembic_version SET version_num = ?", [version])
        store.commit()
    with pytest.raises(StoreError, match=what.format(root=root)) as refusal:
        ensure_store(root)
    assert f"schema {version}, this one needs {storefile.expected_version()}" in str(refusal.value)


def test_what_is_no_store_is_refused(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="damaged, or no MLflow store.*moves it away"):
        ensure_store(tmp_path)
    sqlite3.connect(tmp_path / "other.db").executescript("CREATE TABLE t (a); VACUUM").close()
    (tmp_path / "other.db").rename(tmp_path / "mlflow.db")
    with pytest.raises(StoreError, match="no such table"):
        ensure_store(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="is no folder"):
        ensure_store(tmp_path / "file")
    with pytest.raises(StoreError, match="rename a folder"):
        ensure_store(tmp_path / "100%")


def test_a_full_disk_leaves_nothing_half_made(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(StoreError, match=f"^{tmp_path / 'mlflow.db'}: [^\n]*$"):
            ensure_store(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "mlflow.db").exists()
    ensure_store(tmp_path)


def test_without_mlflow_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(StoreError, match="pip install mlflow"):
        ensure_store(tmp_path)
