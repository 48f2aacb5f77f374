"""Roots whose MLflow store exists, and the verbs about runs in it, carried out without a worker."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from engine import lifecycle, relocation
from engine.rundir import RunDirectory
from engine.tracking import sync

VERBS = {
    "note": lifecycle.note,
    "trash": lifecycle.trash,
    "restore": lifecycle.restore,
    "forget": lifecycle.forget,
}


def copy_store(template: Path, root: Path) -> Path:
    """Give a root a copy of the store that MLflow made; the root, which may not exist yet."""
    root.mkdir(exist_ok=True)
    shutil.copy(template, root)
    done = relocation.relocate(root)
    assert done and done.backup
    done.backup.unlink()
    return root


def ask(arguments) -> dict[str, Any]:
    """What the worker program answers."""
    verb, *paths = arguments
    if verb == "sync":
        for path in paths:
            sync(RunDirectory(path))
        return {"runs": {}, "failed": {}}
    return lifecycle.each(VERBS[verb], paths)


def client(root):
    """MLflow's own client of a root's store."""
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{root / 'mlflow.db'}")


def in_mlflow(root, run):
    """A run with a folder as MLflow has it."""
    (found,) = client(root).search_runs(
        [one.experiment_id for one in client(root).search_experiments()],
        f"tags.`lthtui.run_id` = '{run.run_id}'",
    )
    return found
