"""What the app reads from MLflow: the same by SQL and through the client, whoever wrote it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import runpy
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import plainruns
import pytest

from engine import schema
from engine.errors import StoreError
from engine.rundir import RunDirectory
from engine.tracking import ensure_store, sync
from lthtui import runview, sqlstore, storedruns
from lthtui import store as storage
from lthtui.monitor import Watched
from lthtui.sqlstore import TESTED, SqlReader
from lthtui.store import ClientReader, Store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own

FakeRun = runpy.run_path(str(Path(__file__).parents[1] / "fakes/rundirs.py"))["FakeRun"]


@pytest.fixture(scope="session")
def ours(tmp_path_factory) -> Path:
    """A root with four runs that our sink logged."""
    root = tmp_path_factory.mktemp("ours")
    for seed in range(2):
        sync(FakeRun(root, "one", seed=seed, levels=3).start().train(4).end().directory)
    run = FakeRun(root, "two", levels=2).start().train(1, epochs=2)
    run.end_epoch(1, 3, loss=float("nan"))
    run.end_epoch(1, 4, loss=float("inf"))
    sync(run.end("failed", "the loss became NaN").directory)
    last = {"level": "last"}
    sync(FakeRun(root, "two", seed=5, levels=2, select=last).start().train(1).directory)
    return root


@pytest.fixture(scope="session")
def plain(tmp_path_factory) -> Path:
    """A root with a store that plain MLflow code wrote."""
    root = tmp_path_factory.mktemp("plain")
    plainruns.write(f"sqlite:///{root / 'mlflow.db'}")
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        store.execute("PRAGMA journal_mode = WAL")
    return root


@pytest.fixture(params=["ours", "plain"])
def root(request) -> Path:
    return request.getfixturevalue(request.param)


def comparable(items):
    """Dataclasses as text, in which NaN equals NaN."""
    return [repr(dataclasses.asdict(item)) for item in items]


def test_sql_and_client_agree(root):
    store = Store(root)
    sql, client = SqlReader(root / "mlflow.db"), ClientReader(store._client)
    assert sql.schema_version() in TESTED
    runs = sql.runs()
    assert len(runs) >= 3 and comparable(runs) == comparable(client.runs())
    assert comparable(sql.tickets()) == comparable(client.tickets())
    for name in {run.experiment for run in runs} | {"nowhere"}:
        assert comparable(sql.runs(name)) == comparable(client.runs(name))
        assert comparable(sql.tickets(name)) == comparable(client.tickets(name))
    for run in runs:
        for key in [*list(run.metrics)[:12], *plainruns.AWKWARD, "nothing"]:
            for after in (None, 2):
                pair = [reader.curve(run.mlflow_run_id, key, after) for reader in (sql, client)]
                np.testing.assert_array_equal(pair[0].steps, pair[1].steps)
                np.testing.assert_array_equal(pair[0].times, pair[1].times)
                np.testing.assert_array_equal(pair[0].values, pair[1].values)


def test_what_is_under_way_is_read_by_itself_as_it_is_among_all(root):
    sql = SqlReader(root / "mlflow.db")
    runs, tickets = sql.runs(), sql.tickets()
    for known in [[], *([run.mlflow_run_id] for run in runs)]:
        found, levels = sql.moving(known)
        wanted = [one for one in runs if one.status == "RUNNING" or one.mlflow_run_id in known]
        ids = {run.mlflow_run_id for run in wanted}
        assert comparable(found) == comparable(wanted)
        assert comparable(levels) == comparable(
            [level for level in tickets if level.mlflow_run_id in ids]
        )


def test_a_curve_is_found_without_reading_that_metric_of_all_other_runs(root):
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        for after in (sqlstore._FIRST, 5):
            asked = store.execute(f"EXPLAIN QUERY PLAN {sqlstore._CURVE}", ("x", "y", after))
            (how,) = [row[3] for row in asked]
            assert "run_uuid=? AND key=? AND step>?" in how


def test_our_runs_come_back_as_they_were(ours):
    store = Store(ours)
    assert store._reader() is store._sql
    runs = store.runs("one")
    assert {(run.seed, run.status, run.sparsifier, run.dataset) for run in runs} == {
        (0, "FINISHED", "imp", "digits"),
        (1, "FINISHED", "imp", "digits"),
    }
    assert len({run.group for run in runs}) == 1
    assert all((ours / "runs" / run.run_id).is_dir() for run in runs)
    failed = next(run for run in store.runs("two") if run.status == "FAILED")
    assert failed.tags["lthtui.error"] == "the loss became NaN"
    losses = store.curve(failed.mlflow_run_id, "epoch/train_loss")
    assert losses.steps.tolist() == list(range(1, 9))
    assert np.isnan(losses.values[6]) and losses.values[7] == np.inf
    assert store.curve(failed.mlflow_run_id, "epoch/train_loss", after=6).steps.tolist() == [7, 8]
    tickets = store.tickets("one")
    assert sorted(one.level for one in tickets) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert {one.kept for one in tickets if one.level == 2} == {64_000}
    assert {one.level for one in tickets if one.winning} == {3}
    best = next(one for one in tickets if one.winning)
    assert (best.density, best.val_accuracy) == (0.512, pytest.approx(0.936))
    assert best.run_id in {run.run_id for run in runs}


def test_a_level_is_the_same_from_the_journal_and_from_mlflow(ours):
    only_here = {"planned", "epochs", "ticket", "bytes", "losses", "validations"}
    store = Store(ours)
    tickets = store.tickets()
    for run in store.runs():
        watched = Watched(RunDirectory(ours / "runs" / run.run_id))
        watched.refresh()
        here = runview.view(watched)
        there = storedruns.view(run, [t for t in tickets if t.run_id == run.run_id])
        assert there.flops == here.flops == 3e6
        assert there.picks == here.picks == ("last" if here.seed == 5 else "best")
        levels = [
            [{k: v for k, v in vars(level).items() if k not in only_here} for level in levels]
            for levels in (here.ended_levels, there.levels)
        ]
        assert levels[0] == levels[1] and levels[0]
        assert levels[0][0]["training_flops"] and levels[0][0]["inference_flops"] == 3e6


def test_a_store_that_is_not_there_is_empty(tmp_path):
    store = Store(tmp_path / "nowhere")
    assert store.runs() == [] and store.tickets() == [] and store.version() == ()
    assert store.curve("x", "y").values.size == 0
    (tmp_path / "mlflow.db").touch()
    assert Store(tmp_path).runs() == []
    assert not (tmp_path / "nowhere").exists()


def test_version_changes_with_the_store_and_only_then(tmp_path, ours):
    store = Store(tmp_path)
    shutil.copy(ours / "mlflow.db", tmp_path)
    before = store.version()
    store.runs()
    assert store.version() == before
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as writer:
        writer.execute("UPDATE runs SET status = 'KILLED'")
        writer.commit()
    after = store.version()
    assert after != before and store.version() == after
    (tmp_path / "mlflow.db").unlink()
    assert store.version() == ()
    shutil.copy(ours / "mlflow.db", tmp_path / "new.db")
    (tmp_path / "new.db").rename(tmp_path / "mlflow.db")
    assert store.version() not in (before, after, ())


def test_notes_and_tags_are_written_where_mlflow_shows_them(tmp_path, ours):
    shutil.copy(ours / "mlflow.db", tmp_path)
    store = Store(f"sqlite:///{tmp_path / 'mlflow.db'}")
    run = store.runs()[0]
    store.set_tags(run.mlflow_run_id, {schema.NOTE: "# seen", "a": "1", "b": "2"})
    tags = next(one.tags for one in store.runs() if one.mlflow_run_id == run.mlflow_run_id)
    assert (tags["mlflow.note.content"], tags["a"], tags["b"]) == ("# seen", "1", "2")
    with pytest.raises(StoreError, match="not found"):
        store.set_tags("0" * 32, {"a": "lost"})


def test_a_store_of_another_mlflow_is_read_but_never_written(tmp_path, ours):
    shutil.copy(ours / "mlflow.db", tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as writer:
        writer.execute("UPDATE alembic_version SET version_num = 'later'")
        writer.commit()
    store = Store(tmp_path)
    assert comparable(store.runs()) == comparable(Store(ours).runs())
    with pytest.raises(StoreError, match="by a newer MLflow"):
        store.set_tags(store.runs()[0].mlflow_run_id, {"a": "no"})
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as writer:
        writer.execute("ALTER TABLE latest_metrics RENAME COLUMN is_nan TO not_a_number")
    with pytest.raises(StoreError, match="schema later"):
        store.runs()


def test_a_version_nobody_tested_goes_through_the_client(ours, monkeypatch):
    monkeypatch.setattr(storage, "TESTED", set())
    store = Store(ours)
    assert isinstance(store._reader(), ClientReader)
    assert comparable(store.runs()) == comparable(SqlReader(ours / "mlflow.db").runs())


def test_a_read_only_copy_can_be_read(tmp_path, ours, monkeypatch):
    shutil.copy(ours / "mlflow.db", tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert len(Store(tmp_path).runs()) == 4
    assert [file.name for file in tmp_path.iterdir()] == ["mlflow.db"]


def test_what_is_broken_is_said_in_one_line(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"broken" * 1000)
    for read in (Store(tmp_path).runs, Store(tmp_path).tickets, Store(tmp_path).version):
        with pytest.raises(StoreError, match="^.*mlflow.db: file is not a database$"):
            read()
    with pytest.raises(StoreError, match="127.0.0.1"):
        Store("http://127.0.0.1:1").runs()


def test_reading_a_known_store_imports_neither_mlflow_nor_torch(ours):
    code = (
        "import sys; from lthtui.store import Store; s = Store(sys.argv[1]); r = s.runs()\n"
        "s.tickets(), s.curve(r[0].mlflow_run_id, 'epoch/train_loss'), s.version()\n"
        "print(len(r), sorted({'mlflow', 'torch', 'pandas', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(ours)], capture_output=True, text=True)
    assert done.stdout == "4 []\n", done.stderr


def test_the_engine_writes_what_is_read_here(ours):
    with contextlib.closing(sqlite3.connect(ours / "mlflow.db")) as store:
        assert {v for (v,) in store.execute("SELECT version_num FROM alembic_version")} <= TESTED
    assert ensure_store(ours) == Store(ours).uri


AS_NOBODY = """
import os, sys
from lthtui.cli import main
from lthtui.store import Store

def browse(root):
    store = Store(root)
    runs = store.runs()
    curve = store.curve(runs[0].mlflow_run_id, "epoch/train_loss")
    print(len(runs), len(store.tickets()), bool(store.version()), curve.values.size > 3)
    print(os.access(root, os.W_OK), [main([*words, "--root", root]) for words in SHOWN])

SHOWN = ["list"], ["show", "@last"]
browse(sys.argv[1])  # imports what is read by the superuser only
print("as nobody")
os.setgid(65534), os.setuid(65534)
browse(sys.argv[2])
"""


def _as_nobody(readable, copy) -> list[str]:
    command = [sys.executable, "-c", AS_NOBODY, str(readable), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("as nobody\n")[2].splitlines()


@pytest.mark.parametrize("log", ["merged", "left by a crash", "shared with a writer"])
def test_another_user_browses_a_copy_that_is_not_theirs_to_write(ours, log):
    if os.geteuid() != 0:
        pytest.skip("only the superuser can become another user")
    with contextlib.ExitStack() as open_:
        # pytest's own folders are for the superuser's eyes only
        folder = Path(open_.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        copy = shutil.copytree(ours, folder / "copy")
        if log != "merged":
            store = sqlite3.connect(copy / "mlflow.db")
            open_.enter_context(contextlib.closing(store))
            store.execute("UPDATE runs SET name = 'changed in the log'")
            store.commit()
        if log == "left by a crash":
            leave = shutil.ignore_patterns("*-shm")
            copy = shutil.copytree(copy, folder / "crashed", ignore=leave)
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        before = sorted(path.name for path in copy.iterdir())
        numbers, *_, answers = _as_nobody(ours, copy)
        assert sorted(path.name for path in copy.iterdir()) == before
    assert numbers == "4 10 True True" and answers == "False [0, 0]"


class SlowConnection:
    """Stays within a statement until it may go on; SQLite crashes where it is closed meanwhile."""

    def __init__(self):
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.closed_within = None

    def execute(self, statement):
        self.begun.set()
        self.go_on.wait(30)
        self.closed_within = self.closed_within or False
        return self

    def fetchone(self):
        return (1,)

    def close(self):
        if self.closed_within is None:
            self.closed_within = True


def test_a_store_is_closed_only_when_no_thread_looks_for_changes(ours, monkeypatch):
    slow = SlowConnection()
    monkeypatch.setattr(sqlstore, "reader", lambda *_: slow)
    reader = SqlReader(ours / "mlflow.db")
    looks, closes = threading.Thread(target=reader.version), threading.Thread(target=reader.close)
    looks.start()
    slow.begun.wait(30)
    closes.start()
    closes.join(0.2)  # which it does not within any time
    slow.go_on.set()
    for thread in (looks, closes):
        thread.join(30)
    assert slow.closed_within is False
    with pytest.raises(sqlite3.ProgrammingError):
        reader.version()
