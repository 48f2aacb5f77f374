"""`lthtui sync` as it is typed; `lthtui mlflow` is tested with its pages."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from engine.mirror import only_mirror
from lthtui.cli import main
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
