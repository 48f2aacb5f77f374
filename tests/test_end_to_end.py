"""The whole path as a user walks it: spec, queue, worker, MLflow, ticket, and back again."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from waiting import PATIENCE

SPEC = """\
version: 1
data: {name: digits, per_class: 10, validation: 100}
model: {name: resnet20, width: 4, shortcut: B}
sparsifier: {name: imp, levels: 2, rewind: 1ep}
train: {epochs: 3, batch_size: 25, evaluate: {every: 1}}
evaluate: [layer_density]
seeds: [0, 1]
"""


def _lthtui(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "lthtui", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        env={k: v for k, v in os.environ.items() if not k.startswith("LTHTUI")},
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """A folder in which a spec has been run, and what `run --json` printed."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "specs").mkdir()
    (folder / "specs" / "small.yaml").write_text(SPEC)
    done = _lthtui(folder, "run", "specs/small.yaml", "--json")
    assert done.returncode == 0, done.stderr
    return folder, [json.loads(line) for line in done.stdout.splitlines()]


def test_every_event_is_a_line_and_the_last_sums_up(
    project: tuple[Path, list[dict[str, Any]]],
) -> None:
    _, lines = project
    summary = lines[-1]
    assert summary["kind"] == "summary" and len(summary["runs"]) == 2
    for run in summary["runs"]:
        assert run["status"] == "finished" and run["error"] is None
        assert [level["epochs"] for level in run["levels"]] == [3, 2, 2]
        kept = [level["kept"] for level in run["levels"]]
        assert kept[1] == kept[0] - round(0.2 * kept[0])
        assert kept[2] == kept[1] - round(0.2 * kept[1])
        assert 0 < run["winning"]["density"] < 1
        events = [line for line in lines[:-1] if line["run_id"] == run["run_id"]]
        assert [e["kind"] for e in events].count("epoch_ended") == 7
        assert events[-1]["kind"] == "run_ended"
    assert summary["runs"][0]["group"] == summary["runs"][1]["group"]


def test_the_exported_ticket_reproduces_the_logged_accuracy(
    project: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, lines = project
    run = lines[-1]["runs"][0]
    exported = _lthtui(folder, "ticket", "export", run["run_id"], "-o", "t.safetensors", "--json")
    assert exported.returncode == 0, exported.stderr
    card = json.loads(exported.stdout)
    assert card["test_accuracy"] == run["winning"]["test_accuracy"]
    verified = _lthtui(folder, "ticket", "verify", "t.safetensors")
    assert verified.returncode == 0, verified.stderr
    assert f"test: {card['test_correct']}/797 correct" in verified.stdout


def test_mlflow_has_every_number(project: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, lines = project
    assert _lthtui(folder, "sync").returncode == 0  # on a busy machine workers leave some to it
    with contextlib.closing(sqlite3.connect(folder / "mlruns" / "mlflow.db")) as store:
        for run in lines[-1]["runs"]:
            rows = store.execute(
                "select m.step, m.value from metrics m join tags t using (run_uuid)"
                " where t.key = 'lthtui.run_id' and t.value = ? and m.key = 'level/val_accuracy'"
                " order by m.step",
                (run["run_id"],),
            ).fetchall()
            assert rows == [(level["level"], level["val_accuracy"]) for level in run["levels"]]
            [status] = store.execute(
                "select status from runs join tags t using (run_uuid) where t.value = ?",
                (run["run_id"],),
            ).fetchall()[0]
            assert status == "FINISHED"


def test_running_it_again_shows_what_is_there(
    project: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, lines = project
    again = _lthtui(folder, "run", "specs/small.yaml", "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout.splitlines()[-1])["runs"] == lines[-1]["runs"]
    listed = json.loads(_lthtui(folder, "list", "--json").stdout)
    assert listed == [{**run, "label": "imp"} for run in lines[-1]["runs"]]


def test_a_spec_with_a_mistake_starts_nothing(
    project: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, _ = project
    (folder / "specs" / "wrong.yaml").write_text(SPEC.replace("rewind", "rewnd"))
    done = _lthtui(folder, "run", "specs/wrong.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith("specs/wrong.yaml:4:36: unknown field 'rewnd'")
    assert "did you mean rewind?" in done.stderr
    assert len(list((folder / "mlruns" / "runs").iterdir())) == 2
