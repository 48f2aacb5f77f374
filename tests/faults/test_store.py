"""Criterion 8: a store that somebody holds for a minute costs the run nothing, and no row."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import time

import pytest
from mirrored import expected_rows, known, run_of
from waiting import PATIENCE, wait_for

from engine import relocation
from engine.tracking import Sink, sync

pytestmark = [
    pytest.mark.fault,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own
]
SECONDS = 60.0
HOLD = """
import sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
store.execute("BEGIN EXCLUSIVE"); print("held", flush=True); sys.stdin.read()
"""


def rows(root) -> list[tuple]:
    """What MLflow has of epochs and levels; nothing while the store is held."""
    try:
        return known(root)
    except sqlite3.OperationalError:
        return []


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_a_store_that_is_held_for_a_minute(tmp_path, template, spawn, record_property, journal):
    root = tmp_path / "mlruns"
    root.mkdir()
    shutil.copy(template, root)
    relocation.relocate(root)
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        store.execute(f"PRAGMA journal_mode = {journal}")
    run = run_of(root).start()
    sink = Sink(run.directory, run.directory.spec())
    sink.start()
    run.train(1)
    sink.wake()
    wait_for(lambda: rows(root) == expected_rows(run))
    command = [sys.executable, "-c", HOLD, str(root / "mlflow.db")]
    holder = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    until, slowest = time.monotonic() + SECONDS, 0.0
    for level in (1, 2):
        run.begin_level(level)
        for epoch in range(1, run.epochs + 1):
            began = time.monotonic()
            run.end_epoch(level, epoch)
            sink.wake()
            slowest = max(slowest, time.monotonic() - began)
        run.end_level(level)
    time.sleep(until - time.monotonic())
    holder.communicate(timeout=PATIENCE)
    released = time.monotonic()
    wait_for(lambda: rows(root) == expected_rows(run))
    record_property("seconds from release to the last row", f"{time.monotonic() - released:.1f}")
    record_property("slowest wake in ms", f"{1000 * slowest:.1f}")
    run.end()
    sink.wake()
    assert sink.close(PATIENCE)
    sync(run.directory)
    assert rows(root) == expected_rows(run)
