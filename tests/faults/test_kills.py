"""Criterion 1: workers killed with all that they started, at random times and changes to files.

`LTHTUI_FAULT_SEED=n` gives another schedule of kills.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter

import pytest
from lab import METHODS, OVER, Lab, journalled, log, mirrored, numbers, tickets

from engine.rundir import RunDirectory, Status, status
from lthtui.launch import queue


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
            assert lab.until_over(run) == Status.FINISHED, log(run)
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
    assert lab.until_over(submitted.directory) == Status.FINISHED, log(submitted.directory)
    return submitted.directory, time.monotonic() - began


def test_a_few_kills(lab, record_property):
    _campaign(lab, 3, ["imp"], "off", record_property)


@pytest.mark.fault
def test_fifty_kills(lab, record_property):
    kills = int(os.environ.get("LTHTUI_FAULT_KILLS", "50"))
    _campaign(lab, kills, [*METHODS], "local", record_property)
