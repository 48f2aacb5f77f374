"""Criterion 1: workers killed with all that they started, at random times and changes to files.

`LTHTUI_FAULT_SEED=n` gives another schedule of kills.
"""

from __future__ import annotations

import os
import random
import shlex
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from mirrored import rows

from engine.events import EpochEnded, LevelEnded, LevelStarted, MaskChanged, Tail
from engine.rundir import RunDirectory, Status, status
from engine.spec import RunSpec
from lthtui.launch import queue

PROGRAM = Path(__file__).parents[1] / "fakes" / "killed_at.py"
METHODS = {
    "imp": {"levels": 2, "rewind": "1ep"},
    "rigl": {"interval": "3it", "redistribute": "gradient", "density": 0.3},
    "continuous": {"rounds": 2, "rewind": "1ep"},
    "prac": {"levels": 2, "rewind": "1ep", "window": 1, "min_per_class": 3},
}
EPOCH = "train_loss train_accuracy val_loss val_accuracy test_loss test_accuracy learning_rate"
EPOCH += " images_per_second"
LEVEL = "density kept train_loss train_accuracy val_loss val_accuracy val_balanced_accuracy"
LEVEL += " test_loss test_accuracy test_balanced_accuracy seconds"
OVER = (Status.FINISHED, Status.FAILED, Status.LOST, Status.STOPPED)


class Lab:
    """A root whose workers really train, and may be told when to be killed."""

    def __init__(self, stage) -> None:
        self.root, self.wait, self.dispatched = stage.root, stage.wait, stage.dispatched

    def spec(self, method: str, tracking: str) -> RunSpec:
        return RunSpec.model_validate(
            {
                "name": method,
                "data": {"name": "digits", "per_class": 10, "validation": 100},
                "model": {"name": "resnet20", "width": 4, "shortcut": "B"},
                "sparsifier": {"name": method, **METHODS[method]},
                "train": {"epochs": 6, "batch_size": 20, "evaluate": {"every": 2}},
                "checkpoint": 0.05,
                "keep": ["all"],
                "tracking": tracking,
                "launch": {"devices": "cpu", "retries": 0},
            }
        )

    def attempts(self, run: RunDirectory) -> int:
        launch = run.launch()
        return launch.attempt if launch else 0

    def until_over(self, run: RunDirectory) -> Status:
        self.wait(lambda: status(run) in OVER, lambda: f"{status(run)}: {_log(run)}")
        return status(run)

    def kill(self, run: RunDirectory, with_shim: bool) -> None:
        """Kill the worker's whole process group, and its shim first or not at all."""
        beat, launch = run.heartbeat(), run.launch()
        if with_shim and launch:
            launch.process.signal(signal.SIGKILL)
        if beat and beat.process.alive:
            os.killpg(beat.process.pid, signal.SIGKILL)


def _log(run: RunDirectory) -> str:
    return run.log_file.read_text()[-2000:] if run.log_file.exists() else "no log"


@pytest.fixture
def lab(tmp_path, monkeypatch, stage):
    """Real workers in the place of those that play scripts."""
    monkeypatch.setenv("LTHTUI_WORKER", shlex.join([sys.executable, "-P", str(PROGRAM)]))
    return Lab(stage)


def tickets(run: RunDirectory) -> dict[str, bytes]:
    found = sorted(run.levels.glob("*/ticket.safetensors"))
    return {path.parent.name: path.read_bytes() for path in found}


def numbers(run: RunDirectory) -> list[dict]:
    """What a run measured, without times, speeds and attempts."""
    drop = {"time", "attempt", "seconds", "images_per_second", "run_id"}
    kinds = (EpochEnded, LevelStarted, LevelEnded, MaskChanged)
    return [
        e.model_dump(exclude=drop) for e in Tail(run.events_file).read() if isinstance(e, kinds)
    ]


def journalled(run: RunDirectory) -> list[tuple]:
    """What MLflow should hold of epochs and levels, told without the code that brings it there."""
    found = []
    for event in Tail(run.events_file).read():
        if isinstance(event, EpochEnded):
            names, prefix, step = EPOCH, "epoch", event.epoch
        elif isinstance(event, LevelEnded):
            names, prefix, step = LEVEL, "level", event.level
        else:
            continue
        for name in names.split():
            value = getattr(event, name)
            if value is not None:
                found.append((f"{prefix}/{name}", step, round(event.time * 1000), float(value)))
    return sorted(found)


def mirrored(run: RunDirectory) -> list[tuple]:
    """What MLflow holds of the same."""
    known = {f"epoch/{name}" for name in EPOCH.split()} | {f"level/{n}" for n in LEVEL.split()}
    return [row[1:5] for row in rows(run.root) if row[0] == run.run_id and row[1] in known]


class Schedule:
    """Kills at random."""

    def __init__(self, lab: Lab) -> None:
        self.seed = int(os.environ.get("LTHTUI_FAULT_SEED", "0"))
        self.random, self.lab = random.Random(self.seed), lab
        self.kinds: Counter[str] = Counter()

    def attempt(self, run: RunDirectory, begin, changes: int, seconds: float) -> None:
        """Have one more attempt begin, and kill it, unless it is faster than that."""
        before = self.lab.attempts(run)
        by_change, with_shim = self.random.random() < 0.5, self.random.random() < 0.5
        order = run.path / "kill-at"
        if by_change:
            order.write_text(str(self.random.randint(1, max(2, changes // 2))))
        delay = self.random.uniform(0, seconds)
        begin()
        if not by_change:
            self.lab.wait(lambda: self.lab.attempts(run) > before)
            deadline = time.monotonic() + delay
            self.lab.wait(lambda: time.monotonic() > deadline or status(run) in OVER)
            self.lab.kill(run, with_shim)
        if self.lab.until_over(run) != Status.FINISHED:
            self.kinds["at a change" if by_change else "at a time"] += 1


def _campaign(lab: Lab, kills: int, methods: list[str], tracking: str, record) -> None:
    schedule, wholes, runs = Schedule(lab), {}, []
    while schedule.kinds.total() < kills:
        method = methods[len(runs) % len(methods)]
        if method not in wholes:
            wholes[method] = _whole(lab, method, tracking)
        whole, seconds = wholes[method]
        changes = int((whole.path / "changes").read_text())
        hold = queue.Turn(hold=True)
        spec = lab.spec(method, tracking)
        (submitted,) = queue.submit(lab.root, [spec], again=True, turn=hold)
        run, begin = submitted.directory, queue.release
        for _ in range(6):
            schedule.attempt(run, lambda begin=begin, run=run: begin([run]), changes, seconds)
            begin = queue.resume
            if status(run) == Status.FINISHED or schedule.kinds.total() >= kills:
                break
        if status(run) != Status.FINISHED:
            queue.resume([run])
            assert lab.until_over(run) == Status.FINISHED, _log(run)
        assert tickets(run) == tickets(whole), f"{run.run_id}: another ticket"
        assert numbers(run) == numbers(whole), f"{run.run_id}: other numbers"
        assert not [*run.path.rglob(".*.tmp")]
        runs.append(run)
    record("seed", schedule.seed)
    record("kills", schedule.kinds.total())
    for kind, number in schedule.kinds.items():
        record(f"killed {kind}", number)
    record("runs", len(runs))
    record("tickets bit-identical", sum(len(tickets(run)) for run in runs))
    if tracking == "local":
        lab.wait(lambda: not lab.dispatched())
        for run in runs:
            assert mirrored(run) == journalled(run), f"{run.run_id}: MLflow differs"
        record("rows in MLflow, each once", sum(len(mirrored(run)) for run in runs))


def _whole(lab: Lab, method: str, tracking: str) -> tuple[RunDirectory, float]:
    """A run that nobody disturbs, and how many seconds it takes."""
    began = time.monotonic()
    (submitted,) = queue.submit(lab.root, [lab.spec(method, tracking)])
    assert lab.until_over(submitted.directory) == Status.FINISHED, _log(submitted.directory)
    return submitted.directory, time.monotonic() - began


def test_a_few_kills(lab, record_property):
    _campaign(lab, 3, ["imp"], "off", record_property)


@pytest.mark.fault
def test_fifty_kills(lab, record_property):
    kills = int(os.environ.get("LTHTUI_FAULT_KILLS", "50"))
    _campaign(lab, kills, [*METHODS], "local", record_property)
