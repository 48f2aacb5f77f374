"""A run that trains is followed into its MLflow run, resumed or with its store held or gone."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import time

import pytest
from mirrored import expected_rows, followed, known, mlflow_run, rows, run_of, sizes
from waiting import PATIENCE, wait_for

from engine.events import Tail
from engine.tracking import sync

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own
HOLD = """
import sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
store.execute("BEGIN EXCLUSIVE"); print("held", flush=True); sys.stdin.read()
"""


def test_a_resumed_run_goes_on_in_its_mlflow_run(root):
    run = run_of(root).start().train(1, epochs=1).end("stopped")
    with followed(run) as (_, result):
        pass
    assert result == [None]
    report = sync(run.directory)
    assert report.status == "KILLED" and known(root) == expected_rows(run)
    run.open(2)
    with followed(run) as (wake, result):
        run._append(next(iter(Tail(run.directory.events_file).read())))
        run.end_epoch(1, 1)  # trained again: the journal keeps the first
        run.end_epoch(1, 2)
        wake()
        wait_for(lambda: len(known(root)) == len(expected_rows(run)))
        wait_for(lambda: mlflow_run(report).info.status == "RUNNING")
        run.train(3).end()
    assert result == [None]
    assert known(root) == expected_rows(run)
    assert mlflow_run(report).info.status == "FINISHED"
    assert sizes(root)["runs"] == 1 and sizes(root)["logged_models"] == 3


def test_a_store_locked_by_somebody_else_is_waited_for(root, spawn):
    run = run_of(root).start().train(1)
    with followed(run) as (wake, result):
        run.end_epoch(1, 1)
        wake()
        wait_for(lambda: len(known(root)) == len(expected_rows(run)))
        command = [sys.executable, "-c", HOLD, str(root / "mlflow.db")]
        holder = spawn(command, stdin=-1, stdout=-1)
        assert holder.stdout.readline() == b"held\n"
        before = rows(root)
        run.train(3).end()
        wake()
        time.sleep(2.5)  # as long as it is held, nothing can come
        assert rows(root) == before
        holder.communicate(timeout=PATIENCE)
    assert result == [None]
    assert known(root) == expected_rows(run)


def test_a_store_deleted_while_the_run_goes_on_is_made_again(root):
    run = run_of(root).start()
    with followed(run) as (wake, result):
        run.train(1)
        wake()
        wait_for(lambda: len(known(root)) == len(expected_rows(run)))
        (root / "mlflow.db").unlink()  # its write-ahead log stays behind
        run.train(3).end()
        wake()
    assert result == [None]
    assert known(root) == expected_rows(run)
    assert sizes(root)["logged_models"] == 3
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
