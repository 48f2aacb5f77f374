"""What doctor says of MLflow's store and of the runs in it, and that its repairs repair."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from disks import mounted
from mirrored import known, sizes
from rundirs import FakeRun

from engine import relocation, schema
from engine.processes import Process
from engine.rundir import Launch, RunDirectory, Status, status, write_json
from engine.tracking import sync
from lthtui.doctor import store as checks
from lthtui.store import Store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own
HOLD = """
import sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
store.execute("BEGIN IMMEDIATE"); print("held", flush=True); sys.stdin.read()
"""


def change(root, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        for statement in statements:
            store.execute(statement)
        store.commit()


def garbage_in_a_table(file: Path) -> None:
    """Overwrite the page with the metrics' index, so that reading tags still works."""
    with contextlib.closing(sqlite3.connect(file)) as store:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'metrics'"
        (page,) = store.execute(query).fetchone()
        (size,) = store.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as damaged:
        damaged.seek((page - 1) * size)
        damaged.write(b"\xff" * size)


def cut(file: Path) -> None:
    with file.open("r+b") as damaged:
        damaged.truncate(file.stat().st_size // 3)


def no_store(file: Path) -> None:
    file.write_bytes(b"no database at all" * 5000)


@pytest.mark.parametrize(
    "damage, kept",
    [
        (garbage_in_a_table, True),
        pytest.param(cut, None, marks=pytest.mark.fault),
        pytest.param(no_store, False, marks=pytest.mark.fault),
    ],
)
def test_a_damaged_store_is_rebuilt_from_the_runs(doctor, root, run, damage, kept):
    Store(root).set_tags(Store(root).runs()[0].mlflow_run_id, {schema.NOTE: "my own words"})
    rows, counts = known(root), sizes(root)
    damage(root / "mlflow.db")
    code, found, _ = doctor()
    assert code == 1 and "is damaged (" in found[0]["message"]
    assert found[0]["remedy"] == f"lthtui doctor --fix --root {root}"
    code, found, treated = doctor("--fix")
    assert (code, found) == (0, []) and treated[0]["ok"], treated
    assert known(root) == rows
    assert sizes(root)["logged_models"] == counts["logged_models"] == 3
    note = Store(root).runs()[0].tags["mlflow.note.content"]
    assert kept is None or (note == "my own words") is kept
    (aside,) = root.glob("mlflow.db.damaged-*Z")
    assert aside.name in treated[0]["done"]
    sync(run)
    assert known(root) == rows


def test_a_deleted_store_is_made_again(doctor, root, run):
    rows = known(root)
    (root / "mlflow.db").unlink()
    code, (found,), _ = doctor()
    assert code == 0 and found["message"].startswith("MLflow does not have all of their journals")
    assert found["remedy"] == f"lthtui sync {run.run_id}"
    assert doctor("--fix")[:2] == (0, []) and known(root) == rows


def test_rows_that_went_missing_are_noticed_and_come_back(doctor, root, run):
    rows = known(root)
    change(root, "DELETE FROM metrics WHERE step > 5", "DELETE FROM latest_metrics")
    code, (found,), _ = doctor()
    assert code == 0 and "does not have all of their journals" in found["message"]
    assert doctor("--fix")[:2] == (0, []) and known(root) == rows


def test_a_run_that_was_not_logged_is_found_and_one_with_tracking_off_is_not(doctor, root):
    FakeRun(root, "off", levels=1, tracking="off").start().train(1).end()
    assert doctor()[1] == []
    missing = FakeRun(root, "missing", levels=1).start().train(2).end()
    (found,) = doctor()[1]
    assert found["remedy"] == f"lthtui sync {missing.run_id}"
    assert doctor("--fix")[1] == []
    assert {one.run_id for one in Store(root).runs()} >= {missing.run_id}


def test_a_moved_root_is_told_and_settled(doctor, root, logged_once, tmp_path):
    change(root, *(f"UPDATE {t} SET {c} = replace({c}, '{root}', '/gone/from/here')" for t, c in (
        ("experiments", "artifact_location"),
        ("runs", "artifact_uri"),
        ("logged_models", "artifact_location"),
    )))  # fmt: skip
    code, found, _ = doctor()
    assert code == 1 and len(found) == 1
    assert "takes /gone/from/here for its folder" in found[0]["message"]
    assert "2 in experiments, 1 in runs, 3 in logged_models" in found[0]["message"]
    code, found, (treated,) = doctor("--fix")
    assert (code, found) == (0, []) and "changed 6 places" in treated["done"]
    assert all(one.artifacts.startswith(root.as_uri()) for one in Store(root).tickets())


@pytest.mark.parametrize("schema, command", [("451aebb31d03", "mlflow db upgrade sqlite:///"), (
    "f00d", "pip install --upgrade mlflow")])  # fmt: skip
def test_a_store_of_another_version_is_left_to_a_person(doctor, root, schema, command):
    change(root, f"UPDATE alembic_version SET version_num = '{schema}'")
    code, (found,), _ = doctor()
    assert code == 1 and found["remedy"].startswith(command) and not found["fixable"]
    before = (root / "mlflow.db").read_bytes()
    assert doctor("--fix")[0] == 1 and (root / "mlflow.db").read_bytes() == before


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_who_holds_the_store_is_told(doctor, root, spawn, monkeypatch, journal):
    monkeypatch.setattr(checks, "LOCKED", 0.05)
    change(root, f"PRAGMA journal_mode = {journal}")
    file = str(root / "mlflow.db")
    holder = spawn([sys.executable, "-c", HOLD, file], stdin=subprocess.PIPE, stdout=-1)
    assert holder.stdout.readline() == b"held\n"
    code, (found,), _ = doctor()
    assert (code, found["severity"]) == (0, "warning")
    assert f"is locked by process {holder.pid} ({sys.executable}" in found["message"]
    holder.communicate()
    assert doctor()[1] == []


def test_a_log_that_grew_is_merged(doctor, root, monkeypatch):
    monkeypatch.setattr(checks, "LONG", 0)
    monkeypatch.setattr(checks, "LOCKED", 0.05)
    with contextlib.closing(sqlite3.connect(root / "mlflow.db", isolation_level=None)) as store:
        store.execute("UPDATE runs SET name = 'x'")
        (found,) = doctor()[1]
        assert "mlflow.db-wal has grown to" in found["message"]
        store.execute("BEGIN")
        store.execute("SELECT * FROM runs").fetchone()
        treated = doctor("--fix")[2]
        assert [one["ok"] for one in treated] == [False] and "is in use" in treated[0]["done"]
        store.execute("ROLLBACK")
        assert [one["ok"] for one in doctor("--fix")[2]] == [True]
        assert os.stat(root / "mlflow.db-wal").st_size == 0


def test_a_store_that_cannot_be_written_is_an_error(doctor, root, monkeypatch):
    whole = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK and whole(path, mode))
    code, found, _ = doctor()
    assert code == 1 and f"{root / 'mlflow.db'} is read-only" in str(found)
    assert any(one["remedy"] == f"findmnt -T {root}" for one in found)


def test_a_full_disk_is_not_taken_for_a_damaged_store(doctor, root, tmp_path, monkeypatch):
    with mounted(tmp_path / "disk", 4) as disk:
        there = disk.folder / "mlruns"
        there.mkdir()
        shutil.copy(root / "mlflow.db", there)
        relocation.relocate(there).backup.unlink()
        disk.fill()
        monkeypatch.setenv("LTHTUI_ROOT", str(there))
        code, found, treated = doctor("--fix")
        assert code == 1 and all(one["ok"] for one in treated), treated
        assert "no run can start" in found[0]["message"]
        assert not [one for one in found if "damaged" in one["message"]]
        assert sorted(file.name for file in there.glob("mlflow.db")) == ["mlflow.db"]
        assert not list(there.glob("*.damaged-*"))


# -- runs -------------------------------------------------------------------------------------


def lose(run: FakeRun) -> RunDirectory:
    """Its worker is gone without a word."""
    gone = Process(host=Process.of(os.getpid()).host, boot="", pid=2**22, start=1)
    launch = Launch(attempt=1, backend="local", process=gone, device="cpu", threads=1, time=5.0)
    write_json(run.directory.launch_file, launch.model_dump())
    assert status(run.directory) == Status.LOST
    return run.directory


def test_lost_runs_are_told_and_not_left_running_in_mlflow(doctor, root):
    run = FakeRun(root, "gone", levels=1).start().train(1)
    lose(run)
    sync(run.directory)
    change(root, f"UPDATE runs SET status = 'RUNNING' WHERE name LIKE '{run.run_id[9:]}'")
    code, found, _ = doctor()
    assert code == 0 and [one["remedy"] for one in found] == [
        f"lthtui retry {run.run_id}",
        f"lthtui sync {run.run_id}",
    ]
    assert "takes them for running, and they are not" in found[1]["message"]
    code, (found,), _ = doctor("--fix")
    assert found["message"].startswith("lost, their workers are gone")
    stored = next(one for one in Store(root).runs() if one.run_id == run.run_id)
    assert stored.status == "FAILED"


def test_a_run_whose_folder_is_gone_is_not_left_running_unseen(doctor, root, run):
    change(root, "UPDATE runs SET status = 'RUNNING'")
    shutil.rmtree(run.path)
    (found,) = doctor()[1]
    stored = Store(root).runs()[0].mlflow_run_id
    assert found["remedy"] == f"mlflow runs delete --run-id {stored}"


def test_specs_that_cannot_be_read_are_named(doctor, root):
    run = FakeRun(root, "odd", levels=1).start().train(1).end("stopped")
    sync(run.directory)
    run.directory.spec_file.write_text("{version: 7}")
    (root / "runs" / "nothing").mkdir()
    code, found, _ = doctor()
    assert code == 0 and len(found) == 2
    assert "without a spec, such as nothing" in found[0]["message"]
    assert str(run.directory.spec_file) in found[1]["message"]


def test_tickets_that_moved_with_the_root_are_found_again(doctor, root, run):
    there = f"/gone/mlruns/runs/{run.run_id}/levels/02/ticket.safetensors"
    ticket = {"run": run.run_id, "path": there, "sha256": "0" * 64, "level": 2}
    ticket |= {"kept": 64_000, "total": 100_000}
    waits = FakeRun(root, "waits", sparsifier={"name": "ticket", "source": ticket}).directory
    lacks = {**ticket, "path": there.replace("/02/", "/07/")}
    FakeRun(root, "lacks", sparsifier={"name": "ticket", "source": lacks})
    before = waits.spec()
    code, found, _ = doctor()
    assert code == 1 and ["moved with the root" in one["message"] for one in found] == [True, False]
    assert "whose file /gone" in found[1]["message"]
    code, found, (treated,) = doctor("--fix")
    assert treated["ok"] and len(found) == 1
    after = waits.spec()
    assert after.sparsifier.source.path == str(run.level(2) / "ticket.safetensors")
    assert after.digest == before.digest and after.group == before.group
    written = yaml.safe_load(waits.spec_file.read_text())
    assert written["sparsifier"]["source"]["sha256"] == "0" * 64
