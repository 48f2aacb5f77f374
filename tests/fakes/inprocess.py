"""Runs an experiment within the test's own process, without a worker around it."""

from __future__ import annotations

from collections.abc import Callable

import torch

from engine.events import Event, Journal, RunEnded
from engine.experiment import Experiment
from engine.rundir import RunDirectory


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
