"""Runs to be brought over into MLflow, and what a store should then hold, read by plain SQL."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import sqlite3
import threading

from rundirs import TICKET_BYTES, FakeRun
from waiting import PATIENCE

from engine.events import Tail
from engine.following import Follower, Wire
from lthtui.store import Store


class KeptRun(FakeRun):
    """A run that dropped the weights of its level 0, as `keep` may say, and kept others'."""

    def train(self, *args, **kwargs):
        super().train(*args, **kwargs)
        for level in range(3):
            self.keep(level, f"{level:04}".encode() * (TICKET_BYTES // 4) if level else None)
        return self


def run_of(root, **changes):
    """A run folder whose kept tickets, lists and log are on disk."""
    fake = KeptRun(root, "mirror.me", levels=2, epochs=3, **{"dense": 0.9, "top": 1, **changes})
    directory = fake.directory
    for level in range(3):
        directory.level(level).mkdir(parents=True)
        (directory.level(level) / "ticket.json").write_text("{}")
    directory.subset_file.write_text("{}")
    fake.log("a line\n")
    return fake


def whole_run(root, address, experiment, **changes):
    """A run that has finished and is to be brought over to a server."""
    run = run_of(root, tracking=address, experiment=experiment, **changes)
    return run.start().train(3).end()


@contextlib.contextmanager
def followed(run):
    """A follower in a thread, ended at last: what wakes it, and a list of what it then returned."""
    out, into = os.pipe()
    follower = Follower(run.directory, Wire(out))
    follower._await_first_epoch = lambda: None
    result = []
    thread = threading.Thread(target=lambda: result.append(follower.run()), daemon=True)
    thread.start()
    try:
        yield (lambda: os.write(into, b".")), result
    finally:
        os.close(into)
        thread.join(PATIENCE)
        os.close(out)


def mlflow_run(report):
    """The run in MLflow that a sync reports of."""
    from mlflow import MlflowClient

    return MlflowClient(report.tracking_uri).get_run(report.mlflow_run_id)


def rows(root) -> list[tuple]:
    """Every value of every run by the journal's name of the run, in order."""
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        return store.execute(
            "SELECT t.value, m.key, m.step, m.timestamp, m.value, m.is_nan FROM metrics m"
            " JOIN tags t ON t.run_uuid = m.run_uuid AND t.key = 'lthtui.run_id' ORDER BY 1,2,3,4,5"
        ).fetchall()


def sizes(root) -> dict[str, int]:
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        names = [n for (n,) in store.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        return {n: store.execute(f"SELECT count(*) FROM {n}").fetchone()[0] for n in names}


def expected_rows(run) -> list[tuple]:
    """The rows of the journal's epochs and levels, written down without the code under test."""
    out = []
    for event in Tail(run.directory.events_file).read():
        named = event.model_dump(exclude_none=True)
        if event.kind == "epoch_ended":
            step, wanted = event.epoch, "train_loss train_accuracy val_accuracy learning_rate"
            prefix, wanted = "epoch", wanted + " images_per_second"
        elif event.kind == "level_ended":
            prefix, step = "level", event.level
            wanted = "density kept val_accuracy test_accuracy seconds"
            wanted += " inference_flops training_flops"
        else:
            continue
        for name in wanted.split():
            value = named[name]
            nan = math.isnan(value)
            row = (f"{prefix}/{name}", step, round(event.time * 1000), 0.0 if nan else value, nan)
            out.append((run.run_id, *row))
    return sorted(out)


def known(root) -> list[tuple]:
    return [row for row in rows(root) if row[1].startswith(("epoch/", "level/"))]


def in_store(where, experiment, key="epoch/train_loss"):
    """What can be seen of an experiment, less what no two stores have in common."""
    store = Store(where)
    runs = [dataclasses.asdict(run) for run in store.runs(experiment)]
    tickets = [dataclasses.asdict(ticket) for ticket in store.tickets(experiment)]
    names = {run["mlflow_run_id"]: run["run_id"] for run in runs}
    for run in runs:
        curve = store.curve(run.pop("mlflow_run_id"), key)
        run["curve"] = [curve.steps.tolist(), curve.times.tolist(), curve.values.tolist()]
        own = ("lthtui.directory", "lthtui.created")
        run["tags"] = {k: v for k, v in run["tags"].items() if k not in own}
        run["tags"]["mlflow.note.content"] = run["tags"]["mlflow.note.content"].partition("lth")[0]
        assert run["params"].pop("tracking")
    for ticket in tickets:
        ticket["run"] = names[ticket.pop("mlflow_run_id")]
        for own in ("model_id", "created", "artifacts"):
            del ticket[own]
    return runs, sorted(tickets, key=lambda ticket: (ticket["run_id"], ticket["level"]))
