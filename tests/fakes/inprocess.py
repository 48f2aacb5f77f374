"""Runs an experiment within the test's own process, without a worker around it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from engine.events import Event, Journal, RunEnded
from engine.experiment import Experiment
from engine.rundir import RunDirectory, run_id
from lthtui import identity, specfiles

IMP = """\
data: {name: digits, per_class: 10, validation: 100}
model: {name: resnet20, width: 4, shortcut: B}
sparsifier: {name: imp, levels: 2, rate: 0.5, rewind: 1ep}
train: {epochs: 2, batch_size: 25, evaluate: {every: 1}}
select: {level: last}
keep: [best, last]
tracking: "off"
"""
KINDS = "same_layer random uniform erk reinit shuffle labels small_dense null budget".split()


def run(directory: RunDirectory, stopping: Callable[[], bool] = lambda: False) -> list[Event]:
    """Train the run in a folder to its end, or until `stopping`; returns its events."""
    events: list[Event] = []
    cpu = torch.device("cpu")
    Experiment(directory, directory.spec(), cpu, events.append, lambda: None, stopping, {}).run()
    return events


def finish(directory: RunDirectory) -> None:
    """Train the run in a folder and leave the folder as a worker does: finished."""
    journal = Journal(directory.events_file, directory.run_id, 1)
    cpu, spec = torch.device("cpu"), directory.spec()
    made = Experiment(directory, spec, cpu, journal.append, journal.sync, lambda: False, {})
    journal.append(RunEnded(status="finished", winning=made.run()))
    journal.close()


def train(root: Path, path: Path | str, *changes: str) -> list[RunDirectory]:
    """Run a spec file as `lthtui run` does, but in this process."""
    made = []
    for spec in specfiles.load(path, changes):
        directory = RunDirectory(root / "runs" / run_id(spec, "20260101"))
        directory.path.mkdir(parents=True, exist_ok=True)
        directory.spec_file.write_text(specfiles.write(spec))
        identity.store(directory, spec)
        finish(directory)
        made.append(directory)
    return made


def project(folder: Path, text: str) -> Path:
    """Write imp.yaml into a folder and run it with two seeds, on one thread; the folder."""
    (folder / "imp.yaml").write_text(text)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    train(folder / "mlruns", folder / "imp.yaml", "seeds=0,1")
    torch.set_num_threads(threads)
    return folder
