"""How fast metrics are read point by point: from a store and from a journal."""

from __future__ import annotations

import contextlib
import sqlite3
import statistics
import time
from dataclasses import replace

import manyruns
import numpy as np
import pytest
from rundirs import FakeRun

from lthtui import storedruns, training
from lthtui.charts import Look, View, draw
from lthtui.histories import Histories
from lthtui.monitor import Watched
from lthtui.runview import view
from lthtui.store import Store
from lthtui.training import WHOLE

pytestmark = pytest.mark.benchmark

POINTS = 1_000_000
SPIKE = 250_000.0  # of one point
INSERT = "INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?,?,?,?,?,?)"


def log(root, first, values):
    """Write values of a metric of the only run as MLflow does, from a step on."""
    rows = (("loss", float(y), 1000 * i, i, 0, "0" * 32) for i, y in enumerate(values, first))
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        store.executemany(INSERT, rows)
        store.commit()


def timed(work):
    began = time.perf_counter()
    return work(), time.perf_counter() - began


@pytest.fixture
def root(tmp_path, template):
    """A store with one run and one metric of a million points with a spike."""
    root = tmp_path / "mlruns"
    manyruns.store(template, root, 1)
    values = np.random.default_rng(0).normal(size=POINTS)
    values[777_777] = SPIKE
    log(root, 0, values)
    return root


def test_a_million_points_of_a_store(root):
    (run,) = (storedruns.view(one, ()) for one in Store(root).runs())
    run, histories = replace(run, status="running", levels=()), Histories(Store(root))

    def read():
        return histories.read([run], ["loss"])[run.run_id]["loss"]

    def drawn(traces):
        panel = training.panel("loss", [run], [traces], None, "x", "#ff0000")
        return draw(panel.chart(), 120, 40, Look(), View())

    traces, first = timed(read)
    drawing, shown = timed(lambda: drawn(traces))
    assert len(traces[WHOLE].y) == POINTS and drawing.plot.y.high >= SPIKE
    log(root, POINTS, [1.0, 2.0, 3.0])
    more, new = timed(read)
    assert more[WHOLE].y[-3:].tolist() == [1, 2, 3] and len(more[WHOLE].y) == POINTS + 3
    _, idle = timed(read)
    print(f"\n{POINTS:,} points: read {first:.2f} s, drawn {1000 * shown:.0f} ms;", end=" ")
    print(f"three more {1000 * new:.0f} ms, no more {1000 * idle:.0f} ms")
    histories.close()


def test_a_long_journal(tmp_path):
    run = FakeRun(tmp_path, "long", levels=19, epochs=150).start().train(20).end()
    watched = Watched(run.directory)
    watched.refresh()
    seen, took = view(watched), []
    for _ in range(5):
        found, seconds = timed(
            lambda: Histories(Store(tmp_path)).read([seen], [training.LOSS])[run.run_id]
        )
        took.append(seconds)
    assert {len(trace.y) for trace in found[training.LOSS].values()} == {150}
    size = run.directory.events_file.stat().st_size / 1e6
    print(f"\na journal of 3,000 epochs ({size:.1f} MB): {1000 * statistics.median(took):.0f} ms")
