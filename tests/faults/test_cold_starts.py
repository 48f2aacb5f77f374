"""Criteria 5 and 6: a store that many make at once, or whose maker is killed."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import PATIENCE

pytestmark = pytest.mark.fault
AT_ONCE, ROUNDS = 8, 20


def _ensure(root: Path) -> list[str]:
    return [sys.executable, "-P", "-m", "engine", "ensure-store", str(root)]


def _check(root: Path) -> None:
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        assert store.execute("SELECT experiment_id, name FROM experiments").fetchall() == [
            (0, "Default")
        ]
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert not [*root.glob(".mlflow.db.tmp*")]


def test_eight_cold_starts_at_once(tmp_path, spawn, record_property):
    failures = 0
    for number in range(ROUNDS):
        root = tmp_path / str(number) / "mlruns"
        processes = [
            spawn(_ensure(root), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(AT_ONCE)
        ]
        failures += sum(process.wait(PATIENCE) != 0 for process in processes)
        _check(root)
    record_property("rounds of 8 processes", ROUNDS)
    record_property("failures", failures)
    assert failures == 0


def test_killed_while_the_store_is_made(tmp_path, spawn, record_property):
    seed = int(os.environ.get("LTHTUI_FAULT_SEED", "0"))
    chance, times, begun = random.Random(seed), [], 0
    for number in range(3):
        began = time.monotonic()
        subprocess.run(_ensure(tmp_path / f"whole{number}"), check=True, capture_output=True)
        times.append(time.monotonic() - began)
    whole = statistics.median(times)
    for number in range(ROUNDS):
        root = tmp_path / str(number) / "mlruns"
        maker = spawn(_ensure(root), stdout=subprocess.DEVNULL)
        time.sleep(whole * (number + chance.random()) / ROUNDS)
        maker.kill()
        maker.wait()
        begun += root.exists() and not (root / "mlflow.db").exists()
        subprocess.run(_ensure(root), check=True, capture_output=True, timeout=PATIENCE)
        _check(root)
    record_property("seed", seed)
    record_property("kills, one in each 20th of the time it takes", ROUNDS)
    record_property("of them with a store begun and not in place", begun)
    record_property("next starts that failed", 0)
