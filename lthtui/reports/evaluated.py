"""What evaluations found of runs: their numbers over repetitions, and their documents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from engine.events import Evaluated, Tail
from engine.repetition import Repetition
from engine.rundir import RunDirectory
from lthtui.runview import LevelView, RunView

Which = Literal["dense", "ticket"] | int  # a run's own dense level, its picked one, or a number


@dataclass(frozen=True)
class Made:
    """One evaluation of one ticket.

    Attributes:
        label: its name with the settings that are not at their defaults.
        folder: of its run, in which its files are.
    """

    level: int
    label: str
    metrics: Mapping[str, float]
    files: tuple[str, ...]
    folder: Path

    def document(self, file: str) -> Any:
        """One of its JSON documents; None where it is missing or damaged."""
        path = next((one for one in self.files if Path(one).name == file), None)
        if path is None:
            return None
        try:
            return json.loads((self.folder / path).read_bytes())
        except (OSError, ValueError):
            return None


class Evaluations:
    """All evaluations of some runs; those that only MLflow knows have none here."""

    def __init__(self, runs: Iterable[RunView]) -> None:
        self._made = {run.run_id: _read(run) for run in runs if run.directory}

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What they are called, each once, in the order in which they were made."""
        found = (one.label for made in self._made.values() for one in made)
        return tuple(dict.fromkeys(found))

    def called(self, name: str) -> tuple[str, ...]:
        """The labels of an evaluation: its name, and its name with settings."""
        return tuple(one for one in self.labels if one == name or one.startswith(f"{name} "))

    def of(self, run: RunView, label: str, which: Which = "ticket") -> Made | None:
        """What was found of one ticket."""
        level = meant(run, which)
        if level is None:
            return None
        found = (one for one in self._made.get(run.run_id, ()) if one.label == label)
        return next((one for one in found if one.level == level.index), None)

    def values(
        self, runs: Iterable[RunView], label: str, metric: str, which: Which = "ticket"
    ) -> dict[Repetition, float]:
        """A number by repetition, of the runs for which it is known."""
        made = {run.repetition: self.of(run, label, which) for run in runs}
        return {
            one: found.metrics[metric]
            for one, found in made.items()
            if found and metric in found.metrics
        }

    def documents(
        self, runs: Sequence[RunView], label: str, file: str, which: Which = "ticket"
    ) -> dict[Repetition, Any]:
        """A document by repetition, of the runs that have it."""
        made = {run.repetition: self.of(run, label, which) for run in runs}
        read = {one: found.document(file) for one, found in made.items() if found}
        return {one: document for one, document in read.items() if document is not None}


def meant(run: RunView, which: Which) -> LevelView | None:
    """The level of a run that is meant; a ticket that nothing was pruned of is none."""
    if which == "dense":
        return run.dense
    if which == "ticket":
        return run.winning if run.winning and run.winning.sparse else None
    return next((level for level in run.ended_levels if level.index == which), None)


def _read(run: RunView) -> list[Made]:
    """The newest of each, in the order in which they were first made."""
    directory, found = RunDirectory(Path(run.directory)), dict[tuple[int, str], Made]()
    tail = Tail(directory.events_file)
    for line in tail.lines():
        event = tail.event(line) if b'"evaluated"' in line else None
        if isinstance(event, Evaluated):
            level = event.level or 0
            made = Made(level, event.name, event.metrics, event.files, directory.path)
            found[level, event.name] = made
    return [*found.values()]
