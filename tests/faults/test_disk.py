"""Criterion 10: a disk that fills up at any moment of a run costs nothing that was saved."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from disks import Disk, mounted
from mirrored import expected_rows, known
from waiting import PATIENCE

from engine import levels
from engine.errors import NO_ROOM
from engine.events import EpochEnded, Event, LevelEnded, LevelStarted, RunEnded, Tail
from engine.rundir import RunDirectory, Status, status
from engine.spec import RunSpec
from engine.tracking import sync

pytestmark = [
    pytest.mark.fault,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own
]
SPEC = {
    "name": "full",
    "data": {"name": "digits", "per_class": 10, "validation": 100},
    "model": {"name": "resnet20", "width": 4, "shortcut": "B"},
    "sparsifier": {"name": "imp", "levels": 3, "rewind": "1ep"},
    "train": {"epochs": 6, "batch_size": 20, "evaluate": {"every": 1}},
    "checkpoint": 0.05,
    "keep": ["all"],
}


class Ran:
    """A run that may be looked at as `mirrored` does."""

    def __init__(self, root: Path, tracking: str) -> None:
        spec = RunSpec.model_validate({**SPEC, "tracking": tracking})
        self.directory = RunDirectory(root / "runs" / "20261121-full-abcdef-s0")
        self.directory.path.mkdir(parents=True)
        self.directory.spec_file.write_text(json.dumps(spec.model_dump(mode="json")))
        self.run_id = self.directory.run_id

    def work(self) -> int:
        """Have a worker go on with it; returns its exit code."""
        command = [sys.executable, "-P", "-m", "engine", str(self.directory.path)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with self.directory.log_file.open("ab") as log:
            how = {"stdout": log, "stderr": log, "timeout": PATIENCE, "env": environment}
            return subprocess.run(command, **how).returncode

    def events(self) -> list[Event]:
        return list(Tail(self.directory.events_file).read())

    def tickets(self) -> dict[str, bytes]:
        found = sorted(self.directory.levels.glob("*/ticket.safetensors"))
        return {path.parent.name: path.read_bytes() for path in found}

    def numbers(self) -> list[dict]:
        """What it measured, without times, speeds and attempts."""
        drop = {"time", "attempt", "seconds", "device_seconds", "joules", "images_per_second"}
        kinds = (EpochEnded, LevelStarted, LevelEnded)
        return [e.model_dump(exclude=drop) for e in self.events() if isinstance(e, kinds)]


def test_a_disk_that_is_full_again_and_again(tmp_path, record_property):
    whole = Ran(tmp_path, "off")
    assert whole.work() == 0, whole.directory.log_file.read_text()
    seed = int(os.environ.get("LTHTUI_FAULT_SEED", "0"))
    with mounted(tmp_path / "disk", 10) as disk:
        run = Ran(disk.folder / "mlruns", "local")
        failures = _fill_and_go_on(run, disk, random.Random(seed))
        disk.empty()
        assert run.work() == 0, run.directory.log_file.read_text()
        assert run.tickets() == whole.tickets() and run.numbers() == whole.numbers()
        assert not list(run.directory.path.rglob(".*.tmp"))
        sync(run.directory)
        rows = known(disk.folder / "mlruns")
        assert set(expected_rows(run)) <= set(rows)
        assert len(rows) == len({row[:3] for row in rows})  # one value per run, metric and step
    record_property("attempts that the full disk ended", failures)


def _fill_and_go_on(run: Ran, disk: Disk, draw: random.Random) -> int:
    """Go on with little room, at first with none at all; how often that ended it."""
    failures = 0
    for leave in (0, 4096, *(draw.randrange(8192, 160_000) for _ in range(5))):
        disk.empty()
        disk.fill(leave)
        code = run.work()
        if code == 0:
            break
        failures += 1
        text = run.directory.log_file.read_text(errors="replace")
        assert code in (1, NO_ROOM), text
        assert "Traceback" not in text, text
        ended = [event for event in run.events() if isinstance(event, RunEnded)]
        if code == 1:
            assert "the disk is full" in (ended[-1].error or "") and ended[-1].cause == "disk"
            assert status(run.directory) == Status.FAILED
        said: list[str] = []
        done = levels.finished(run.directory, said.append)
        assert said == [] and len(done) == len(list(run.directory.levels.glob("[0-9]*")))
    assert failures >= 4
    return failures
