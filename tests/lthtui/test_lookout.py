"""What the table knows of runs with a folder and of stored ones: the same, and soon."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from unittest.mock import Mock

import manyruns
import pytest
from rundirs import FakeRun

from engine import noted, schema
from engine.errors import StoreAway
from lthtui import fields, lookout, runnames, shelf
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
    monkeypatch.setattr(shelf, "AT_ONCE", 20)
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


def test_what_is_under_way_in_a_store_is_seen_long_before_all_is_read_again(
    tmp_path, template, monkeypatch
):
    monkeypatch.setattr(shelf, "SHARE", 1e-9)
    monkeypatch.setattr(shelf, "MOVING", 1e9)
    manyruns.store(template, tmp_path, 4)
    (first, second, *_), key = manyruns.runs(4), "epoch/val_loss"

    def change(statement, *values):
        with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
            store.execute(statement, values)
            store.commit()

    with looking(tmp_path) as one:
        one.look()
        change("UPDATE runs SET name = 'other' WHERE run_uuid = ?", f"{1:032x}")
        change("UPDATE runs SET status = 'RUNNING' WHERE run_uuid = ?", f"{0:032x}")
        assert one.look().runs[first].status == "running"
        change(
            "UPDATE latest_metrics SET value = 7 WHERE key = ? AND run_uuid = ?", key, f"{0:032x}"
        )
        assert one.look().runs[first].metrics[key] == 7
        change("UPDATE runs SET status = 'FAILED' WHERE run_uuid = ?", f"{0:032x}")
        board = one.look()
        assert board.runs[first].status == "failed"  # which it is no more to be found by
        assert board.runs[second].name != "other"
        assert one.look() is None


def test_a_store_is_read_again_by_parts_new_runs_first_while_what_is_under_way_moves_on(
    tmp_path, template, monkeypatch
):
    for name, value in (("SHARE", 1e9), ("MOVING", 1e9), ("PART", 2)):
        monkeypatch.setattr(shelf, name, value)
    manyruns.store(template, tmp_path, 7)
    moving, gone, *others = manyruns.runs(7)
    key = "epoch/val_loss"

    def change(*statements):
        with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
            for statement in statements:
                store.execute(statement)
            store.commit()

    late, first, second = (f"'{number:032x}'" for number in (6, 0, 1))
    with looking(tmp_path) as one:
        change(f"UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = {late}")
        assert len(one.look().runs) == 6
        change(
            f"UPDATE runs SET status = 'RUNNING' WHERE run_uuid = {first}",
            f"UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = {second}",
            f"UPDATE runs SET lifecycle_stage = 'active' WHERE run_uuid = {late}",
            "UPDATE tags SET value = 'me' WHERE key = 'mlflow.user'",
        )
        runs, counts = one.look().runs, []
        assert set(runs) == {moving, *others} and runs[moving].status == "running"
        assert runs[others[-1]].user == "me"
        for value in range(3):
            counts.append(sum(runs[name].user == "me" for name in others))
            change(f"UPDATE latest_metrics SET value = {value} WHERE key = '{key}'")
            runs = one.look().runs
            assert runs[moving].metrics[key] == value
        assert counts[0] <= 2 and counts == sorted(counts) and counts[-1] == 5
        while (board := one.look()) is not None:
            runs = board.runs
        assert all(run.metrics[key] == 2 and run.user == "me" for run in runs.values())


def test_of_two_runs_of_one_id_in_a_store_the_older_is_shown_however_they_are_read(
    tmp_path, template, monkeypatch
):
    for name, value in (("SHARE", 1e9), ("MOVING", 1e9), ("PART", 1)):
        monkeypatch.setattr(shelf, name, value)
    manyruns.store(template, tmp_path, 2)
    first, second = manyruns.runs(2)
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        store.execute("UPDATE tags SET value = ? WHERE value = ?", (first, second))
        store.commit()

    def user(value):
        with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
            store.execute("UPDATE tags SET value = ? WHERE key = 'mlflow.user'", (value,))
            store.commit()

    with looking(tmp_path) as one:
        boards = [one.look()]
        user("me")
        boards += [board for _ in range(5) if (board := one.look())]
    assert [board.runs[first].stored for board in boards] == ["0" * 32] * len(boards)
    assert len(boards) > 1 and boards[-1].runs[first].user == "me"


def test_what_is_under_way_in_a_store_takes_no_folders_place_and_leaves_the_trash_alone(
    tmp_path, template, monkeypatch
):
    monkeypatch.setattr(shelf, "SHARE", 1e-9)
    monkeypatch.setattr(shelf, "MOVING", 1e9)
    manyruns.store(template, tmp_path, 2)
    run = FakeRun(tmp_path, "one").start(alive=True).train(1)
    with looking(tmp_path) as one:
        one.look()
        with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
            query = "UPDATE tags SET value = ? WHERE key = 'lthtui.run_id' AND run_uuid = ?"
            store.execute(query, (run.run_id, f"{0:032x}"))
            query = "UPDATE runs SET status = 'RUNNING', name = ? WHERE run_uuid < ?"
            store.execute(query, ("moving", f"{2:032x}"))
            store.commit()
        found = one.look().runs
        assert found[[*manyruns.runs(2)][1]].name == "moving"
        assert found[run.run_id].directory and found[run.run_id].name == "one"
        (tmp_path / runnames.TRASH).mkdir()
        run.directory.path.rename(tmp_path / runnames.TRASH / run.run_id)
        assert run.run_id not in one.look().runs


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


def test_a_hasty_first_look_leaves_out_epochs_of_ended_runs_and_later_ones_read_them(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(lookout, "MOMENT", 0.0001)  # for one run at a time, or two
    ended = [FakeRun(tmp_path, "one", seed).start().train(6).end() for seed in range(3)]
    alive = FakeRun(tmp_path, "two").start(alive=True).train(1, epochs=2)
    whole = Lookout(tmp_path).look().runs
    hasty = Lookout(tmp_path, hasty=True)
    first = hasty.look().runs
    for run in ended:
        told, known = first[run.run_id], whole[run.run_id]
        assert [one.val for one in told.levels] == [one.val for one in known.levels]
        assert told.winning.index == known.winning.index and told.duration == known.duration
        assert not told.levels[0].losses and "epoch/val_accuracy" not in told.metrics
    assert first[alive.run_id] == whole[alive.run_id]
    boards = [hasty.look() for _ in range(4)]
    *_, last = [board for board in boards if board]
    assert boards[-1] is None and last.runs == whole


def test_groups_of_two_experiments_are_told_apart(tmp_path):
    for experiment, epochs in (("one", 4), ("two", 5)):
        for rate in (0.1, 0.2):
            imp = {"name": "imp", "levels": 2, "rate": rate}
            FakeRun(tmp_path, "spec", 0, 2, epochs, experiment=experiment, sparsifier=imp).close()
    with looking(tmp_path) as one:
        board = one.look()
    assert {group.label for group in board.groups} == {
        f"imp rate={rate} · spec · {experiment}"
        for rate in ("0.1", "0.2")
        for experiment in ("one", "two")
    }


def test_a_huge_seed_in_a_store_hides_no_run(tmp_path, template):
    manyruns.store(template, tmp_path, 2)
    run = FakeRun(tmp_path, "one").start().train(1).end("stopped")
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        query = "UPDATE tags SET value = ? WHERE key = 'lthtui.seed' AND run_uuid = ?"
        assert store.execute(query, ("9" * 4400, f"{0:032x}")).rowcount == 1
        store.commit()
    with looking(tmp_path) as one:
        found = one.look()
        assert not found.trouble and set(found.runs) == {*manyruns.runs(2), run.run_id}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StoreAway("gone\nfor now"), r"gone\nfor now"),
        (
            KeyError("what"),
            "unexpected KeyError: 'what'. This is a bug; LTHTUI_DEBUG=1",
        ),
    ],
)
def test_a_store_that_cannot_be_read_is_told_with_its_age_and_takes_no_folder_away(
    tmp_path, template, monkeypatch, error, told
):
    manyruns.store(template, tmp_path, 2)
    run = FakeRun(tmp_path, "one").start().train(1).end("stopped")
    with looking(tmp_path) as one:
        before = time.time()
        assert one.look().since is None
        after = time.time()
        with monkeypatch.context() as patch:
            patch.setattr(one._shelf._store, "version", Mock(side_effect=error))
            noted.change(run.directory, {schema.NOTE: "meanwhile"})
            away = one.look()
            assert away.trouble.startswith(told) and before <= away.since <= after
            assert len(away.runs) == 3 and away.runs[run.run_id].note == "meanwhile"
            assert one.look() is None  # again and again is told once
        back = one.look()
        assert (back.trouble, back.since) == ("", None)
