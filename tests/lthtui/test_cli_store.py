"""`lthtui sync` as it is typed; `lthtui mlflow` is tested with its pages."""

from __future__ import annotations

import json
import os
import runpy
import shlex
import signal
import sys
from pathlib import Path

import pytest
from waiting import PATIENCE, wait_for

from engine.mirror import only_mirror
from lthtui import holding
from lthtui.cli import main
from lthtui.commands.store import _Bystander
from lthtui.store import Store

FakeRun = runpy.run_path(str(Path(__file__).parents[1] / "fakes/rundirs.py"))["FakeRun"]


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LTHTUI_ROOT", str(tmp_path))
    return tmp_path


def test_all_runs_at_rest_are_synced_and_what_fails_is_said(root, capfd):
    ended = [FakeRun(root, "one", seed=s, levels=1).start().train(2).end() for s in range(2)]
    FakeRun(root, "alive", levels=1).start(alive=True).train(1)
    FakeRun(root, "waiting", levels=1)
    with only_mirror(ended[1].directory):
        assert main(["sync", "--json"]) == 1
    out, err = capfd.readouterr()
    report = json.loads(out)
    (done,) = report["runs"]
    assert (done["run_id"], done["status"], done["experiment"]) == (
        ended[0].run_id,
        "FINISHED",
        "one",
    )
    assert list(report["failed"]) == [ended[1].run_id]
    assert err.startswith(ended[1].run_id) and "another process" in err
    (stored,) = Store(root).runs()
    assert (stored.run_id, stored.mlflow_run_id) == (ended[0].run_id, done["mlflow_run_id"])


def test_there_must_be_something_to_sync(root, capfd):
    FakeRun(root, "alive", levels=1).start(alive=True)
    assert main(["sync"]) == 2
    assert "a running one is synced by its worker" in capfd.readouterr().err
    assert main(["sync", "nothing"]) == 2
    FakeRun(root, "waiting", levels=1)
    assert main(["sync", "waiting"]) == 1
    assert "has not started yet" in capfd.readouterr().err
    assert not (root / "mlflow.db").exists()


def test_another_users_root_is_not_synced(root, capfd, monkeypatch):
    run = FakeRun(root, "theirs", levels=1).start().train(2).end().directory
    before = sorted(run.path.iterdir())
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert main(["sync"]) == 2
    assert "give a root of your own with --root" in capfd.readouterr().err
    assert sorted(run.path.iterdir()) == before and not (root / "mlflow.db").exists()


HOLDER = """
import sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("PRAGMA journal_mode = WAL"); store.execute("BEGIN IMMEDIATE")
print("held", flush=True); sys.stdin.read()
"""
WORKER = """
import json, os, pathlib, sys, time
here = pathlib.Path(sys.argv[1])
(here / "pid").write_text(str(os.getpid()))
while not (here / "go").exists():
    time.sleep(0.01)
print(json.dumps({"runs": [], "failed": {}, "later": {}}))
"""


@pytest.fixture
def waits(root, spawn, monkeypatch):
    """A sync whose worker waits for a file `go`, who holds the store, and what is said."""
    FakeRun(root, "one", levels=1).start().train(2).end()
    file = root / "mlflow.db"
    holder = spawn([sys.executable, "-c", HOLDER, str(file)], stdin=-1, stdout=-1)
    assert holder.stdout.readline() == b"held\n"
    (root / "worker.py").write_text(WORKER)
    monkeypatch.setenv(
        "LTHTUI_WORKER", shlex.join([sys.executable, str(root / "worker.py"), str(root)])
    )
    said = root / "said"
    with said.open("wb") as errors:
        sync = spawn(
            [sys.executable, "-m", "lthtui", "sync"], stderr=errors, start_new_session=True
        )
    wait_for(lambda: "waiting for" in said.read_text() or sync.poll() is not None)
    return sync, holder, said


def test_who_keeps_a_sync_waiting_is_said(root, waits):
    sync, holder, said = waits
    wait_for(lambda: (root / "pid").exists())
    (root / "go").touch()
    assert sync.wait(PATIENCE) == 0
    (line,) = said.read_text().splitlines()
    assert line.startswith(f"waiting for process {holder.pid} ({sys.executable} -c")
    assert line.endswith(f"which holds {root / 'mlflow.db'}; Ctrl-C ends the waiting")


def test_one_that_holds_the_store_on_is_named_once_and_one_that_passes_never(
    root, capfd, monkeypatch
):
    looks = iter([{1, 7}, {1, 8}, {1}, {1, 9}])
    monkeypatch.setattr(holding, "holders", lambda folder: next(looks))
    bystander = _Bystander(root)
    for _ in range(4):
        bystander.look(7)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("waiting for process 1 (")


def test_ctrl_c_ends_a_sync_that_waits(root, waits):
    sync, _, said = waits
    worker = int((root / "pid").read_text())
    os.kill(sync.pid, signal.SIGINT)
    assert sync.wait(PATIENCE) == 130
    assert len(said.read_text().splitlines()) == 1
    assert not Path(f"/proc/{worker}").exists()
