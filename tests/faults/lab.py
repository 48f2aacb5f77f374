"""A root whose workers really train, and what must be the same of runs that were disturbed."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path

from mirrored import rows

from engine.events import EpochEnded, LevelEnded, LevelStarted, MaskChanged, Tail
from engine.rundir import RunDirectory, Status, status
from engine.spec import RunSpec

PROGRAM = Path(__file__).parents[1] / "fakes" / "killed_at.py"
WORKER = shlex.join([sys.executable, "-P", str(PROGRAM)])
METHODS = {
    "imp": {"levels": 2, "rewind": "1ep"},
    "rigl": {"interval": "3it", "redistribute": "gradient", "density": 0.3},
    "continuous": {"rounds": 2, "rewind": "1ep"},
    "prac": {"levels": 2, "rewind": "1ep", "window": 1, "min_per_class": 3},
}
EPOCH = "train_loss train_accuracy val_loss val_accuracy test_loss test_accuracy learning_rate"
EPOCH += " images_per_second"
LEVEL = "density kept val_accuracy val_balanced_accuracy val_loss test_accuracy test_loss seconds"
LEVEL += " test_balanced_accuracy inference_flops training_flops device_seconds"
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
        self.wait(lambda: status(run) in OVER, lambda: f"{status(run)}: {log(run)}")
        return status(run)

    def kill(self, run: RunDirectory, with_shim: bool) -> None:
        """Kill the worker's whole process group, and its shim first or not at all."""
        beat, launch = run.heartbeat(), run.launch()
        if with_shim and launch:
            launch.process.signal(signal.SIGKILL)
        if beat and beat.process.alive:
            os.killpg(beat.process.pid, signal.SIGKILL)


def log(run: RunDirectory) -> str:
    return run.log_file.read_text()[-2000:] if run.log_file.exists() else "no log"


def tickets(run: RunDirectory) -> dict[str, bytes]:
    found = sorted(run.levels.glob("*/ticket.safetensors"))
    return {path.parent.name: path.read_bytes() for path in found}


def numbers(run: RunDirectory) -> list[dict]:
    """What a run measured, without times, speeds and attempts."""
    drop = {"time", "attempt", "seconds", "device_seconds", "joules", "images_per_second", "run_id"}
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
