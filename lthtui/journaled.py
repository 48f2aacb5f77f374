"""Metrics of a run point by point as its journal tells them, of which only what is new is read."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from engine.events import EpochEnded, Evaluated, Event, LevelEnded, LevelStarted, Tail
from engine.rundir import RunDirectory
from engine.schema import metrics_of, step_of
from lthtui.charts.panel import XName
from lthtui.runview import RunView
from lthtui.training import WHOLE, Traces, split

_NOWHERE = float("nan")


class Column:
    """A metric as it grows: for each point its level, its value, and where it stands."""

    def __init__(self) -> None:
        self._levels, self._values = array("q"), array("d")
        self._at: dict[XName, array[float]] = {}
        self._made: tuple[int, Traces] = (0, {})

    def add(self, level: int, value: float, at: Mapping[XName, float]) -> None:
        """Add a point."""
        for name, place in at.items():
            self._at.setdefault(name, array("d")).append(place)
        self._levels.append(level)
        self._values.append(value)

    def traces(self) -> Traces:
        """By level, its points over whatever all of them have."""
        if self._made[0] != len(self._values):
            at = {name: np.array(column) for name, column in self._at.items()}
            made = split(np.array(self._levels), np.array(self._values), at)
            self._made = len(self._values), made
        return self._made[1]


class JournaledRun:
    """A run as its journal tells."""

    def __init__(self, folder: Path) -> None:
        self._tail = Tail(RunDirectory(folder).events_file)
        self._columns: dict[str, Column] = {}
        self._began: float | None = None  # the run; times are in seconds since 1970
        self._level = (_NOWHERE, 0)  # when its newest level began, and after how many steps
        self._steps: int | None = 0
        self._density: dict[int, float] = {}

    def read(self, run: RunView, metrics: Sequence[str]) -> dict[str, Traces]:
        """See `histories.Reader.read`."""
        for event in self._tail.read():
            self._take(event)
        return {name: self._columns[name].traces() for name in metrics if name in self._columns}

    def _take(self, event: Event) -> None:
        if self._began is None:
            self._began = event.time
        if isinstance(event, LevelStarted):
            self._level = event.time, self._steps or 0
        if isinstance(event, LevelStarted | LevelEnded):
            self._density[event.level or 0] = event.density
        if isinstance(event, EpochEnded | LevelEnded):
            self._steps = event.step
        level = (event.level or 0) if isinstance(event, EpochEnded) else WHOLE
        measured = metrics_of(event)
        at = self._places(event) if measured else {}
        for name, value in measured.items():
            self._columns.setdefault(name, Column()).add(level, float(value), at)

    def _places(self, event: Event) -> dict[XName, float]:
        """Where the values of an event stand; those of an epoch within their level."""
        began = self._began or 0.0
        at: dict[XName, float] = {"wall": event.time, "relative": event.time - began}
        if isinstance(event, EpochEnded):
            start, steps = self._level
            step = _NOWHERE if event.step is None else event.step - steps
            at |= {"epoch": event.level_epoch, "step": step, "relative": event.time - start}
        elif isinstance(event, LevelEnded | Evaluated):
            level = event.level or 0
            at |= {"level": level, "density": self._density.get(level, _NOWHERE)}
        else:
            at["step"] = step_of(event)
        return at
