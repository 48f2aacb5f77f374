"""Criterion 28: short runs for as long as one likes, while something is killed every few seconds.

`LTHTUI_SOAK_MINUTES=n` says how long (30), `LTHTUI_FAULT_SEED=n` gives other kills.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest
from lab import METHODS, Lab, journalled, log, mirrored, numbers, tickets

from engine.processes import Process
from engine.rundir import RunDirectory, Status, status
from lthtui.launch import queue, stopping

pytestmark = pytest.mark.fault
AT_ONCE = 6  # runs that wait or run


class Soak:
    """Runs and kills, by one seed."""

    def __init__(self, lab: Lab) -> None:
        self.seed = int(os.environ.get("LTHTUI_FAULT_SEED", "0"))
        self.lab, self.random = lab, random.Random(self.seed)
        self.runs: list[RunDirectory] = []
        self.counts: Counter[str] = Counter()

    def fill(self) -> None:
        """Queue as many runs as wait or run at once."""
        going = [run for run in self.runs if status(run) in (Status.QUEUED, Status.RUNNING)]
        for _ in range(AT_ONCE - len(going)):
            method = self.random.choice([*METHODS])
            spec = self.lab.spec(method, "local").model_copy(update={"seed": len(self.runs) % 3})
            launch = spec.launch.model_copy(update={"retries": 3})
            spec = spec.model_copy(update={"launch": launch})
            (submitted,) = queue.submit(self.lab.root, [spec], again=True)
            self.runs.append(submitted.directory)

    def disturb(self) -> None:
        """Kill something, or have somebody change their mind."""
        what = self.random.choice(("worker", "worker", "shim", "queue process", "cancel", "pause"))
        running = [run for run in self.runs if status(run) == Status.RUNNING]
        self.counts[what] += 1
        if what == "queue process":
            for pid in queue_processes(self.lab.root):
                os.kill(pid, signal.SIGKILL)
            queue.rouse(self.lab.root)  # as the next command does
        elif running and what in ("worker", "shim"):
            self.lab.kill(self.random.choice(running), with_shim=what == "shim")
        elif running:
            victim = self.random.choice(running)
            getattr(stopping, what)([victim])
            assert status(victim) in (Status.STOPPED, Status.PAUSED, Status.FINISHED), log(victim)
            queue.resume([victim])

    def finish(self) -> None:
        """Bring every run to its end, undisturbed."""
        queue.rouse(self.lab.root)
        for run in self.runs:
            queue.release([run])
            self.lab.wait(lambda run=run: status(run) not in (Status.QUEUED, Status.RUNNING))
            if status(run) != Status.FINISHED:
                queue.resume([run])
        for run in self.runs:
            self.lab.wait(lambda run=run: status(run) not in (Status.QUEUED, Status.RUNNING))
            assert status(run) == Status.FINISHED, log(run)
        self.lab.wait(lambda: not self.lab.dispatched())


def queue_processes(root: Path) -> list[int]:
    """The processes that dispatch a root."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"lthtui.launch.dispatcher" in words and str(root).encode() in words:
                found.append(int(path.parent.name))
    return found


def left_behind(root: Path) -> list[str]:
    """What is there of ours that should be gone: processes, zombies, places, temporary files."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(root).encode() in (path / "cmdline").read_bytes():
                found.append(f"process {path.name}")
            state, parent = (path / "stat").read_text().rpartition(")")[2].split()[:2]
            if state == "Z" and int(parent) == os.getpid():
                found.append(f"zombie {path.name}")
    found += [str(path) for path in root.rglob(".*.tmp*")]
    return found + [str(path) for path in (root / "queue" / "slots").iterdir()]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_soak(lab, record_property):
    minutes = float(os.environ.get("LTHTUI_SOAK_MINUTES", "30"))
    soak, me = Soak(lab), Process.of(os.getpid())
    soak.fill()
    files, until = open_files(), time.monotonic() + 60 * minutes
    while time.monotonic() < until:
        soak.fill()
        time.sleep(soak.random.uniform(1, 8))
        soak.disturb()
    soak.finish()
    assert me.alive
    lab.wait(lambda: not left_behind(lab.root), lambda: left_behind(lab.root))
    assert open_files() <= files
    with contextlib.closing(sqlite3.connect(lab.root / "mlflow.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    same: dict[tuple[str, int], RunDirectory] = {}
    for run in soak.runs:
        assert mirrored(run) == journalled(run), f"{run.run_id}: MLflow differs"
        spec = run.spec()
        first = same.setdefault((spec.sparsifier.name, spec.seed), run)
        assert tickets(run) == tickets(first) and numbers(run) == numbers(first), run.run_id
    record_property("minutes", minutes)
    record_property("seed", soak.seed)
    record_property("runs, all finished", len(soak.runs))
    record_property("attempts", sum(run.launch().attempt for run in soak.runs))
    for what, number in soak.counts.items():
        record_property(f"{what} ended", number)
    record_property("rows in MLflow, each once", sum(len(mirrored(run)) for run in soak.runs))
    record_property("zombies, files, places, processes left", 0)
