"""Runs that plain MLflow code wrote, none of ours, with all that is awkward about such runs."""

from __future__ import annotations

import math
from typing import Any

AWKWARD = ("odd", "again", "late", "far/λ loss", "all nan")  # names of metrics
AGAIN = [2.0, 1.0, math.nan, 2.0]  # at one step, all at the same time
LONG = "ü" * 6000  # as much as MLflow takes
BEGAN = 1_790_000_000_000


def write(uri: str) -> dict[str, str]:
    """Write them into a store; MLflow's ids by what they are called here."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    ids = _awkward(client) | _nested(client) | _seeds(client)
    client.create_run("0", start_time=5)
    client.set_terminated(client.create_run("0", start_time=5).info.run_id, "KILLED", 12345)
    gone = client.create_experiment("gone")
    client.create_run(gone)
    client.delete_experiment(gone)
    return ids


def _awkward(client: Any) -> dict[str, str]:
    from mlflow.entities import Metric, Param, RunTag

    first = client.create_experiment("först")
    run = client.create_run(first, run_name="a run\x1b[31m").info.run_id
    odd = [math.nan, math.inf, -math.inf, 0.0, -1e300, 1e-320]
    client.log_batch(run, [Metric("odd", value, 1000 + i, i) for i, value in enumerate(odd)])
    client.log_batch(run, [Metric(f"m{i}", i / 7, 5, -i) for i in range(1000)])
    client.log_batch(run, [Metric("again", value, 7, 3) for value in AGAIN])
    client.log_batch(run, [Metric("late", 1.0, 9, 9), Metric("late", 2.0, 10, 4)])
    far = [(1.0, 2**53), (2.0, -(2**53)), (9.0, 2**62)]
    client.log_batch(run, [Metric("far/λ loss", value, 7, step) for value, step in far])
    client.log_batch(run, [Metric("all nan", math.nan, 7, step) for step in (1, 2)])
    params = {"p": LONG, "net.depth": "3", "net.width": "0x10", "λ": "é\n"}
    tags = {"lthtui.seed": "many", "why": "naïve ☃", "mlflow.note.content": "# seen\n*it*"}
    client.log_batch(
        run, [], [Param(*pair) for pair in params.items()], [RunTag(*one) for one in tags.items()]
    )
    client.create_run(first, start_time=5)
    client.delete_run(client.create_run(first).info.run_id)
    client.create_logged_model(first, name="no-ticket", source_run_id=run)
    return {"awkward": run}


def _nested(client: Any) -> dict[str, str]:
    """A search with two trials, one of them with a fold; a third was deleted, with its fold."""
    where = client.create_experiment("search")
    ids: dict[str, str] = {}
    tree = {"search": "", "one": "search", "two": "search", "fold": "two"}
    for at, (name, above) in enumerate({**tree, "three": "search", "lost": "three"}.items()):
        tags = {"mlflow.parentRunId": ids[above]} if above else {}
        run = client.create_run(where, run_name=name, start_time=BEGAN + at, tags=tags)
        ids[name] = run.info.run_id
        client.log_param(ids[name], "lr", 0.1 * at)
        client.log_metric(ids[name], "val_loss", 1 / (1 + at), timestamp=BEGAN, step=at)
        client.set_terminated(ids[name], "FINISHED", BEGAN + 1000 * at)
    client.delete_run(ids.pop("three"))
    return ids


def _seeds(client: Any) -> dict[str, str]:
    """Two settings over three and two seeds, under MLflow's kind of names and under our own."""
    where = client.create_experiment("seeds")
    ids = {}
    for name, lr, seed in (
        *(("calm-ant-1", "0.1", 0), ("bold-bee-22", "0.1", 1), ("deft-cod-333", "0.1", 2)),
        *(("net_s3", "0.2", 3), ("net_s4", "0.2", 4)),
    ):
        run = client.create_run(where, run_name=name, start_time=BEGAN + seed).info.run_id
        for key, value in {"opt.lr": lr, "train.random_state": seed}.items():
            client.log_param(run, key, value)
        for step, value in enumerate([0.5, 0.9 + seed / 100, 0.7]):
            client.log_metric(run, "accuracy", value, timestamp=BEGAN + step, step=step)
        client.set_terminated(run, "FAILED" if seed == 2 else "FINISHED", BEGAN + 60_000)
        ids[name] = run
    return ids
