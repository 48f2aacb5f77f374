"""A root whose workers play scripts instead of training."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from fcntl import LOCK_SH
from pathlib import Path

from waiting import wait_for

from engine import events
from engine.processes import Process
from engine.rundir import RunDirectory, status
from engine.spec import RunSpec
from lthtui.launch import lease, queue, stopping

FAKE = Path(__file__).parent / "fake_worker.py"
PLAY = """\
name: play
data: {name: digits, per_class: 5, validation: 100}
model: {name: resnet20, width: 4}
sparsifier: {name: imp, rate: 0.5, levels: 1, rewind: init}
train: {epochs: 2, batch_size: 50}
tracking: "off"
launch: {retries: 0, devices: cpu}
"""
FINISH = {"emit": {"kind": "run_ended", "status": "finished"}}
LEVELS = {0: (1.0, 0.5, 0.4), 1: (0.5, 0.75, 0.7)}  # density, and accuracies on val and test


def whole(beats=True):
    """The steps of a worker that trains both levels of `PLAY`."""
    start = {"levels": 2, "epochs": 4, "steps_per_epoch": 1, "images": {}, "subset": "x"}
    start |= {"parameters": 9, "prunable": 8, "environment": {}}
    emitted = [{"kind": "run_started", **start}]
    for level, (density, val, test) in LEVELS.items():
        counts = {"level": level, "density": density, "kept": round(8 * density), "total": 8}
        scores = {"val_accuracy": val, "test_accuracy": test}
        trained = {"train_loss": 0.5, "train_accuracy": 0.5, "learning_rate": 0.1}
        emitted += [
            {"kind": "level_started", **counts, "epochs": 2, "steps": 2},
            {"kind": "epoch_ended", "level": level, "epoch": 2 * level + 2, "level_epoch": 2}
            | trained
            | {"images_per_second": 10.0},
            {"kind": "level_ended", **counts, **scores, "epochs": 2, "seconds": 1.5},
        ]
    won = {"level": 1, "density": 0.5, "val_accuracy": 0.75, "test_accuracy": 0.7}
    won |= {"ticket": "levels/01/ticket.safetensors", "beats_dense": beats}
    emitted.append({"kind": "run_ended", "status": "finished", "winning": won})
    assert {one["kind"] for one in emitted} <= events.KINDS.keys()
    return [{"emit": one} for one in emitted]


def masked(text):
    """Output without what differs from run to run."""
    text = re.sub(r"\d{8}-play-[0-9a-f]{6}", "ID", text)
    return re.sub(r"\d+/s|[\d.]+ img/s", "N img/s", text)


class Stage:
    """A root in a temporary folder; `play` says what its workers do."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "mlruns"
        self.script = folder / "script.json"

    def play(self, *steps, **per_run):
        """From now on workers do these steps, or those for the part of a run id."""
        self.script.write_text(json.dumps(per_run or list(steps)))

    def specs(self, *seeds, launch=None, **settings):
        """Specs of runs that are not tried again by themselves, unless `launch` says so."""
        fixed = {
            "name": "play",
            "data": "digits",
            "model": "resnet20",
            "sparsifier": "dense",
            "launch": {"retries": 0, **(launch or {})},
        }
        return [RunSpec.model_validate({**fixed, "seed": s, **settings}) for s in seeds]

    def submit(self, *seeds, **settings) -> list[RunDirectory]:
        submitted = queue.submit(self.root, self.specs(*seeds, **settings))
        return [one.directory for one in submitted]

    def allow(self, name):
        """Let workers go on that wait for this name."""
        (self.folder / name).touch()

    wait = staticmethod(wait_for)

    def until(self, run, state):
        """Wait until a run is in this state."""
        self.wait(lambda: status(run) == state, lambda: f"{status(run)}, not {state}")

    def runs(self) -> list[RunDirectory]:
        """The runs that are there; one that is being made has no spec yet."""
        found = sorted((self.root / "runs").glob("*/spec.yaml"))
        return [RunDirectory(path.parent) for path in found]

    def ids(self) -> list[str]:
        return [run.run_id for run in self.runs()]

    def leader(self) -> Process | None:
        """The queue process, as its lease has it."""
        try:
            return Process.model_validate_json((self.root / "queue" / "lease").read_bytes())
        except (OSError, ValueError):
            return None

    def kill_queue_process(self):
        """Kill it and any that would follow it, and wait until the lease is free."""
        self.wait(self.dispatched)
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):  # it has ended
                words = path.read_bytes().split(b"\0")
                if b"lthtui.launch.dispatcher" in words and str(self.root).encode() in words:
                    os.kill(int(path.parent.name), signal.SIGKILL)
        self.wait(lambda: not self.dispatched())

    def dispatched(self) -> bool:
        """Whether a queue process holds the lease."""
        held = lease.take(self.root, LOCK_SH)  # as clients look at it
        if held is not None:
            os.close(held)
        return held is None

    def close(self):
        """Kill what is left, and wait for the queue process to end."""
        if (self.root / "queue").exists():
            stopping.cancel(self.runs(), grace=0)
            self.wait(lambda: not self.dispatched())


def staged(folder: Path, monkeypatch) -> Iterator[Stage]:
    """A stage in a folder; what is left on it is killed in the end."""
    found = Stage(folder)
    found.play(FINISH)
    program = [sys.executable, str(FAKE), str(found.script)]
    monkeypatch.setenv("LTHTUI_WORKER", shlex.join(program))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    yield found
    found.close()
