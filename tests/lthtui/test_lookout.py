"""What the table knows of runs with a folder and of stored ones: the same, and soon."""

from __future__ import annotations

import contextlib
import sqlite3

import manyruns
import pytest
from rundirs import FakeRun

from engine import noted, schema
from lthtui import fields, lookout
from lthtui.fields import Field
from lthtui.lookout import Lookout

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own


@contextlib.contextmanager
def looking(root):
    one = Lookout(root)
    try:
        yield one
    finally:
        one.close()


def test_a_large_store_is_shown_before_its_figures_are_read(tmp_path, template, monkeypatch):
    monkeypatch.setattr(lookout, "AT_ONCE", 20)
    manyruns.store(template, tmp_path, 25)
    expected = manyruns.runs(25)
    with looking(tmp_path) as one:
        first = one.look()
        assert set(first.runs) == set(expected) and len(first.groups) == 5
        name, run = next(iter(expected.items()))
        assert first.runs[name].params == run.params and not first.runs[name].metrics
        second = one.look()
        assert second.runs[name].metrics == run.metrics
        assert second.runs[name].user == "somebody" and second.runs[name].duration == 60.0
        assert one.look() is None


def test_a_small_store_is_read_at_once(tmp_path, template):
    manyruns.store(template, tmp_path, 5)
    with looking(tmp_path) as one:
        assert all(run.metrics for run in one.look().runs.values())
        assert one.look() is None


def test_extremes_of_stored_runs_are_read_when_they_are_wanted(tmp_path, template):
    manyruns.store(template, tmp_path, 2)
    (first, second), key = manyruns.runs(2), "epoch/val_loss"
    rows = [(9.0, 0, 2), (0.0, 1, 3), (1.7976931348623157e308, 0, 4)]  # 0 as NaN, and infinity
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        for value, is_nan, step in rows:
            store.execute(
                "INSERT INTO metrics (key, value, is_nan, step, timestamp, run_uuid)"
                " VALUES (?, ?, ?, ?, 5, ?)",
                (key, value, is_nan, step, f"{0:032x}"),
            )
        store.commit()
    with looking(tmp_path) as one:
        assert not one.look().runs[first].extremes
        one.want([key])
        found = one.look().runs
        least = found[first].metrics[key]
        assert found[first].extremes == {key: (least, float("inf"))} and least > 0
        only = found[second].metrics[key]
        assert found[second].extremes == {key: (only, only)}
        assert Field.parse(f"best({key})").of(found[first]) == least
        assert one.look() is None


def test_a_run_has_the_same_values_from_its_folder_and_from_the_store(tmp_path):
    from engine.tracking import sync

    tags = {"why": "paper", "stage": "2"}
    run = FakeRun(tmp_path, "one", seed=3, levels=2, tags=tags).start().train(2, epochs=2)
    run.end_epoch(2, 3, loss=float("nan"))
    run.end_epoch(2, 4, loss=float("inf"))
    sync(run.end("failed", "it broke").directory)
    with looking(tmp_path) as one:
        here = one.look().runs[run.run_id]
    assert here.directory and here.params["train.epochs"] == "4" and here.tags == tags
    elsewhere = run.directory.path.rename(tmp_path / "gone")
    assert elsewhere.is_dir()
    with looking(tmp_path) as one:
        one.look()
        one.want(here.metrics)
        there = one.look().runs[run.run_id]
    assert there.stored and not there.directory
    known = fields.names([here])
    metrics = [name for name in known if "/" in name]
    assert len(metrics) > 10
    reduced = [f"{reducer}({name})" for name in metrics for reducer in ("best", "min", "max")]
    # when and where, as each tells it; of levels under way and of files only the journal tells
    local = {"created", "user", "device", "duration", "eta", "level", "size"}
    for name in {*known, *reduced} - local:
        field = Field.parse(name)
        assert repr(field.of(there)) == repr(field.of(here)), name
    assert not set(fields.names([there])) - set(known)


def test_what_people_note_of_a_run_is_seen(tmp_path, template):
    run = FakeRun(tmp_path, "one").start().train(1).end("stopped")
    with looking(tmp_path) as one:
        assert one.look().runs[run.run_id].note == ""
        changes = {schema.NOTE: "as\x1b hoped", "why": "paper", schema.NAME: "Best one"}
        noted.change(run.directory, changes)
        found = one.look().runs[run.run_id]
        assert (found.note, dict(found.tags)) == ("as\x1b hoped", {"why": "paper"})
        assert found.display_name == "Best one" and found.name == "one"


@pytest.mark.parametrize("damage", ["", "{}", '{"experiment": 5}'])
def test_settings_of_a_run_of_an_older_version_come_from_its_spec(tmp_path, damage):
    run = FakeRun(tmp_path, "one").start().train(1).end("stopped")
    (run.directory.path / "identity.json").write_text(damage)
    with looking(tmp_path) as one:
        assert one.look().runs[run.run_id].params["sparsifier.levels"] == "5"
