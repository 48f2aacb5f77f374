"""Metrics point by point, from journals and from stores."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import manyruns
import numpy as np
import pytest
from rundirs import BEGAN, FakeRun

from engine.events import Sampled
from lthtui import sqlstore
from lthtui.histories import KEPT, Histories
from lthtui.journaled import JournaledRun
from lthtui.monitor import Watched
from lthtui.records import curve
from lthtui.runview import LevelView, RunView, view
from lthtui.store import Store
from lthtui.training import WHOLE


class FakeStore:
    """A store whose points come when the test says so; it notes what it is asked for."""

    def __init__(self):
        self.points, self.asked, self.writes = {}, [], 0

    def log(self, key, *points):
        """Points as (step, seconds, value)."""
        self.points.setdefault(key, []).extend(points)
        self.writes += 1

    def version(self):
        return (self.writes,)

    def curve(self, run, key, after=None):
        found = [one for one in self.points.get(key, []) if after is None or one[0] > after]
        self.asked.append((key, after, len(found)))
        return curve([(step, 1000 * time, value) for step, time, value in found])


def seen(run):
    watched = Watched(run.directory)
    watched.refresh()
    return view(watched)


def points(trace, x):
    return list(zip(np.asarray(trace.at[x]).tolist(), np.asarray(trace.y).tolist(), strict=True))


@pytest.fixture
def store():
    return FakeStore()


@pytest.fixture
def histories(store):
    return Histories(store)


def stored(**changes):
    facts = {"name": "x", "experiment": "x", "group": "g", "family": "f", "seed": 0}
    facts |= {"sparsifier": "", "dataset": "", "model": "", "status": "running"}
    return RunView(run_id="r", stored="m", created=100.0, **{**facts, **changes})


def level(index, density):
    kept = round(1000 * density)
    return LevelView(index, density, kept, 1000, 0, 0, True, 0.9, 0.9, 1.0, None)


def test_a_journal_gives_epochs_by_level_as_they_come(histories, tmp_path):
    run = FakeRun(tmp_path, "imp", levels=2, epochs=3).start().train(1, 2)
    first = histories.read([seen(run)], ["epoch/train_accuracy", "nothing"])[run.run_id]
    assert first.keys() == {"epoch/train_accuracy"}
    levels = first["epoch/train_accuracy"]
    assert {index: trace.at["epoch"].tolist() for index, trace in levels.items()} == {
        0: [1, 2, 3],
        1: [1, 2],
    }
    assert "step" not in levels[0].at  # these journals count no steps
    assert levels[1].at["relative"].tolist() == [1, 2]  # since the level began
    assert levels[0].at["wall"][0] == BEGAN + 3
    run.end_epoch(1, 3)
    again = histories.read([seen(run)], ["epoch/train_accuracy"])[run.run_id]
    assert again["epoch/train_accuracy"][1].at["epoch"].tolist() == [1, 2, 3]
    assert levels[1].at["epoch"].tolist() == [1, 2]  # what was given away stays as it was


def test_steps_count_from_where_the_level_began(tmp_path):
    run = FakeRun(tmp_path, "imp", levels=2, epochs=2).start()
    append = run._append

    def with_steps(event):
        steps = {} if event.epoch is None or event.kind == "level_started" else event.epoch * 50
        append(event.model_copy(update={"step": steps} if steps else {}))

    run._append = with_steps
    run.train(2)
    found = JournaledRun(run.directory.path).read(seen(run), ["epoch/train_loss"])
    steps = {index: trace.at["step"].tolist() for index, trace in found["epoch/train_loss"].items()}
    assert steps == {0: [50, 100], 1: [50, 100]}


def test_what_belongs_to_levels_or_to_none_is_one_line(histories, tmp_path):
    run = FakeRun(tmp_path, "imp", levels=2).start().train(2)
    for tick in range(3):
        run._append(Sampled(tick=tick, metrics={"cpu": 10.0 * tick}))
    asked = ["level/val_accuracy", "system/cpu"]
    levels, cpu = (histories.read([seen(run)], asked)[run.run_id][name] for name in asked)
    assert points(levels[WHOLE], "density") == [(1.0, run.accuracy(0)), (0.8, run.accuracy(1))]
    assert levels[WHOLE].at["level"].tolist() == [0, 1]
    assert points(cpu[WHOLE], "step") == [(0, 0), (1, 10), (2, 20)]
    assert cpu[WHOLE].at["relative"][0] == run.clock - 2 - BEGAN - 1


def test_no_numbers_come_through(histories, tmp_path):
    run = FakeRun(tmp_path, "imp").start()
    run.begin_level(0)
    for epoch, loss in enumerate([1.0, float("nan"), float("inf")], start=1):
        run.end_epoch(0, epoch, loss=loss)
    (trace,) = histories.read([seen(run)], ["epoch/train_loss"])[run.run_id][
        "epoch/train_loss"
    ].values()
    np.testing.assert_array_equal(trace.y, [1, np.nan, np.inf])


def test_only_new_points_are_read_from_a_store(histories, store):
    store.log("loss", *((step, 100 + step, 1.0 / (step + 1)) for step in range(1000)))
    run = stored()
    (trace,) = histories.read([run], ["loss"])["r"]["loss"].values()
    assert points(trace, "step")[-1] == (999, 1 / 1000)
    assert trace.at["relative"][5] == 5 and trace.at["wall"][5] == 105
    (again,) = histories.read([run], ["loss"])["r"]["loss"].values()
    assert store.asked == [("loss", None, 1000)] and again is trace
    store.log("loss", (999, 1100, 7.0), (1000, 1101, 8.0))
    (trace,) = histories.read([run], ["loss"])["r"]["loss"].values()
    assert store.asked[1:] == [("loss", 998, 3)]
    assert points(trace, "step")[-3:] == [(999, 1 / 1000), (999, 7), (1000, 8)]


def test_a_run_that_has_ended_is_read_once_more_and_never_again(histories, store):
    store.log("loss", (0, 100, 1.0))
    histories.read([stored()], ["loss"])
    store.log("loss", (1, 101, 2.0))
    for _ in range(3):
        found = histories.read([stored(status="finished")], ["loss"])["r"]["loss"]
        store.log("else", (0, 0, 0.0))
    assert [asked for asked in store.asked if asked[0] == "loss"] == [
        ("loss", None, 1),
        ("loss", -1, 2),
    ]
    assert found[WHOLE].y.tolist() == [1, 2]


def test_points_without_steps_are_all_there(histories, store):
    """Code that logs without a step logs everything at step 0."""
    store.log("loss", (0, 100, 1.0), (0, 101, 2.0))
    histories.read([stored()], ["loss"])
    store.log("loss", (0, 102, 3.0))
    assert histories.read([stored()], ["loss"])["r"]["loss"][WHOLE].y.tolist() == [1, 2, 3]


def test_levels_of_a_stored_run_are_told_from_when_they_ended(histories, store):
    epochs = [(1, 110, 3.0), (2, 120, 2.0), (3, 140, 5.0), (4, 150, 4.0), (5, 170, 9.0)]
    store.log("epoch/train_loss", *epochs)
    store.log("epoch/val_accuracy", (2, 120, 0.5), (4, 150, 0.6))
    store.log("level/density", (0, 125, 1.0), (1, 155, 0.8))
    run = stored(levels=(level(0, 1.0), level(1, 0.8)))
    asked = ["epoch/train_loss", "epoch/val_accuracy", "level/density"]
    found = histories.read([run], asked)["r"]
    losses = {index: points(trace, "epoch") for index, trace in found["epoch/train_loss"].items()}
    assert losses == {0: [(1, 3), (2, 2)], 1: [(1, 5), (2, 4)], 2: [(1, 9)]}
    relative = [trace.at["relative"].tolist() for trace in found["epoch/train_loss"].values()]
    assert relative == [[10, 20], [15, 25], [15]]
    measured = found["epoch/val_accuracy"]
    assert {index: points(trace, "epoch") for index, trace in measured.items()} == {
        0: [(2, 0.5)],
        1: [(2, 0.6)],
    }
    assert points(found["level/density"][WHOLE], "density") == [(1.0, 1.0), (0.8, 0.8)]


def test_an_epoch_that_ends_with_its_level_belongs_to_it(histories, store):
    """Clocks of stores count milliseconds: both may have ended in the same one."""
    store.log("epoch/train_loss", (1, 110, 3.0), (2, 120, 2.0), (3, 130, 5.0), (4, 140, 4.0))
    store.log("level/density", (0, 120, 1.0), (1, 140, 0.8))
    run = stored(levels=(level(0, 1.0), level(1, 0.8)))
    found = histories.read([run], ["epoch/train_loss"])["r"]["epoch/train_loss"]
    losses = {index: points(trace, "epoch") for index, trace in found.items()}
    assert losses == {0: [(1, 3), (2, 2)], 1: [(1, 5), (2, 4)]}


def test_all_runs_that_are_looked_at_together_are_kept(histories, store):
    store.log("loss", (0, 100, 1.0))
    many = [replace(stored(), run_id=f"r{index}") for index in range(KEPT + 1)]
    for _ in range(2):
        histories.read(many, ["loss"])
    assert len(store.asked) == KEPT + 1


def test_runs_that_nobody_looks_at_any_more_are_forgotten(histories, store):
    store.log("loss", (0, 100, 1.0))
    many = [stored(), *(stored(name=f"n{index}") for index in range(KEPT))]
    for index, run in enumerate(many):
        histories.read([replace(run, run_id=f"r{index}")], ["loss"])
    assert len(histories._readers) == KEPT
    asked = len(store.asked)
    histories.read([replace(many[-1], run_id=f"r{KEPT}")], ["loss"])
    assert len(store.asked) == asked
    histories.read([replace(many[0], run_id="r0")], ["loss"])
    assert store.asked[asked:] == [("loss", None, 1)]


def test_very_many_points_are_sketched_by_some_of_them(tmp_path, template, monkeypatch):
    monkeypatch.setattr(sqlstore, "SKETCH", 10)
    manyruns.store(template, tmp_path, 1)
    manyruns.grow(tmp_path / "mlflow.db", f"{0:032x}", "loss", 1000)  # at steps 10 to 1009
    run, few = replace(stored(), stored=f"{0:032x}"), "epoch/val_loss"
    with closing(Histories(Store(tmp_path))) as histories:
        sketch = histories.sketch([run], ["loss", few, "none"])[run.run_id]
        whole = histories.read([run], ["loss"])[run.run_id]["loss"][WHOLE]
        steps = [*range(10, 1001, 99), 1009]
        assert sketch.keys() == {"loss"}
        for place in ("step", "wall", "relative"):
            known = dict(zip(whole.at["step"], points(whole, place), strict=True))
            assert points(sketch["loss"][WHOLE], place) == [known[step] for step in steps]
        assert histories.sketch([run], [few, "none"]) is None
        assert histories.sketch([replace(run, levels=(level(0, 1.0),))], ["loss"]) is None


def test_a_sketch_goes_over_gaps_and_keeps_all_points_of_a_step(tmp_path, template, monkeypatch):
    monkeypatch.setattr(sqlstore, "SKETCH", 10)
    manyruns.store(template, tmp_path, 1)
    file, run = tmp_path / "mlflow.db", f"{0:032x}"
    steps = [0, 1, 2, 500, 501, 501, 502, 503, 1000]  # from 0 on, each at least 100 further
    with closing(sqlite3.connect(file)) as opened:
        query = "INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid)"
        query += " VALUES ('loss', ?, 0, ?, 0, ?)"
        opened.executemany(query, [(at, step, run) for at, step in enumerate(steps)])
        opened.commit()
    reader = sqlstore.SqlReader(file)
    assert reader.sketch(run, "loss").steps.tolist() == [0, 500, 1000]
    monkeypatch.setattr(sqlstore, "SKETCH", 2)
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("DELETE FROM metrics WHERE step = 500")
        opened.commit()
    assert reader.sketch(run, "loss").values.tolist() == [0, 4, 5, 8]


def test_stores_without_an_index_of_steps_are_not_sketched(tmp_path, template, monkeypatch):
    monkeypatch.setattr(sqlstore, "SKETCH", 10)
    manyruns.store(template, tmp_path, 1)
    file, run = tmp_path / "mlflow.db", f"{0:032x}"
    manyruns.grow(file, run, "loss", 1000)
    reader = sqlstore.SqlReader(file)
    assert reader.sketch(run, "loss") is not None
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("DROP INDEX index_metrics_run_uuid_key_step")
    assert reader.sketch(run, "loss") is None
