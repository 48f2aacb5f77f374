"""Thousands of runs at once: as the views that screens get, and as rows of an MLflow store."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from pathlib import Path

from lthtui.runview import LevelView, RunView

SEEDS = 5  # runs of a group
PARAMS = ["train.optimizer.lr", "sparsifier.rate", *(f"block{i // 7}.set{i}" for i in range(28))]
METRICS = ["epoch/val_loss", "level/val_accuracy", *(f"system/gauge_{i}" for i in range(28))]


def runs(count: int) -> dict[str, RunView]:
    """Finished runs of six levels and sixty keys, by id; the same at every call."""
    draw = random.Random(0)
    made = (_run(index, index // SEEDS, draw) for index in range(count))
    return {run.run_id: run for run in made}


def _run(index: int, group: int, draw: random.Random) -> RunView:
    return RunView(
        run_id=f"20260101-spec{group % 40}-{group:06x}-s{index % SEEDS}",
        name=f"spec{group % 40}",
        experiment=f"e{group % 5}",
        group=f"g{group}",
        family=f"f{group // 3}",
        seed=index % SEEDS,
        sparsifier=("imp", "dense", "cs")[group % 3],
        dataset="digits",
        model="resnet20",
        status="finished",
        created=float(index + 1),
        levels=tuple(_level(level, draw.random()) for level in range(6)),
        planned_levels=6,
        level=5,
        winner=3,
        params={key: str((group % 7 + 1) / 1000) for key in PARAMS},
        metrics={key: draw.random() for key in METRICS},
    )


def _level(index: int, val: float) -> LevelView:
    kept = round(100_000 * 0.8**index)
    return LevelView(index, kept / 1e5, kept, 100_000, 4, 4, True, val, val - 0.01, 3.0, None)


def store(template: Path, root: Path, count: int) -> None:
    """Copy a store that MLflow made, and fill in runs of sixty keys that have no folder."""
    root.mkdir(parents=True, exist_ok=True)
    shutil.copy(template, root / "mlflow.db")
    rows: dict[str, list[tuple[object, ...]]] = {"runs": [], "params": [], "tags": []}
    latest = []
    for number, run in enumerate(runs(count).values()):
        id, began = f"{number:032x}", 1_790_000_000_000 + 1000 * number
        rows["runs"].append((id, run.name, "FINISHED", began, began + 60_000, "active", "/x", 0))
        rows["params"] += [(key, value, id) for key, value in run.params.items()]
        rows["tags"] += [(key, value, id) for key, value in _tags(run).items()]
        latest += [(key, value, began, 3, 0, id) for key, value in run.metrics.items()]
    columns = "run_uuid, name, status, start_time, end_time, lifecycle_stage, artifact_uri"
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as opened:
        marks = ",".join("?" * 8)
        opened.executemany(
            f"INSERT INTO runs ({columns}, experiment_id) VALUES ({marks})", rows["runs"]
        )
        for table in ("params", "tags"):
            query = f"INSERT INTO {table} (key, value, run_uuid) VALUES (?, ?, ?)"
            opened.executemany(query, rows[table])
        for table in ("latest_metrics", "metrics"):
            query = f"INSERT INTO {table} (key, value, timestamp, step, is_nan, run_uuid)"
            opened.executemany(f"{query} VALUES (?, ?, ?, ?, ?, ?)", latest)
        opened.commit()


def _tags(run: RunView) -> dict[str, str]:
    return {
        "lthtui.run_id": run.run_id,
        "lthtui.group": run.group,
        "lthtui.family": run.family,
        "lthtui.sparsifier": run.sparsifier,
        "lthtui.dataset": run.dataset,
        "lthtui.model": run.model,
        "lthtui.seed": str(run.seed),
        "mlflow.user": "somebody",
    }


def grow(file: Path, run: str, metric: str, count: int) -> None:
    """Give a run of such a store more points of a metric, in steps from 10 on."""
    points = ((metric, 2 / (1 + step / 1e5), step, step, 0, run) for step in range(10, count + 10))
    with contextlib.closing(sqlite3.connect(file)) as opened:
        query = "INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid)"
        opened.executemany(f"{query} VALUES (?, ?, ?, ?, ?, ?)", points)
        opened.commit()
