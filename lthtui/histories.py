"""Metrics of the runs that somebody looks at, point by point: of each only what is new is read."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from lthtui.charts.axes import Floats
from lthtui.charts.panel import XName
from lthtui.records import Curve
from lthtui.runview import RunView
from lthtui.store import Store
from lthtui.training import WHOLE, Traces, split

KEPT = 16  # runs that are kept in memory, if not more of them are looked at
REFERENCE = "epoch/train_loss"  # is measured in every epoch
LEVELS = "level/density"  # is measured when a level has ended
_NOWHERE = float("nan")

Found = Mapping[str, Mapping[str, Traces]]  # by run and metric


class Reader(Protocol):
    """Reads one run."""

    def read(self, run: RunView, metrics: Sequence[str]) -> dict[str, Traces]:
        """By name, those of the metrics that the run has, with what is new of them."""


class Histories:
    """Reads runs: from their journals, or from the store those that only it knows.

    Any thread may ask; one at a time is answered.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._readers: dict[str, Reader] = {}
        self._lock = threading.Lock()

    def read(self, runs: Sequence[RunView], metrics: Sequence[str]) -> Found:
        """By the runs' ids and by name, those of the metrics that they have.

        Points that a store gets later, at earlier steps than its last, are not seen until the run
        is looked at anew.

        Raises:
            StoreError: the store cannot be read.
            OSError: a journal cannot be read.
        """
        with self._lock:
            found = {run.run_id: self._reader(run).read(run, metrics) for run in runs}
            while len(self._readers) > max(KEPT, len(runs)):
                del self._readers[next(iter(self._readers))]
            return found

    def sketch(self, runs: Sequence[RunView], metrics: Sequence[str]) -> Found | None:
        """A first picture of these metrics, with some of their points; None where `read` is soon.

        Raises:
            StoreError: the store cannot be read.
        """
        if any(run.levels or not run.stored for run in runs):
            return None
        found: dict[str, dict[str, Traces]] = {run.run_id: {} for run in runs}
        for run in runs:
            for name in metrics:
                if (curve := self._store.sketch(run.stored, name)) is not None:
                    found[run.run_id][name] = as_whole(curve, run)
        return found if any(found.values()) else None

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def _reader(self, run: RunView) -> Reader:
        """The run's, which becomes the one that was used last."""
        key = f"{run.run_id} {run.stored}"
        reader = self._readers.pop(key, None)
        if reader is None:
            reader = StoredRun(self._store) if run.stored else _journaled(run.directory)
        self._readers[key] = reader
        return reader


def _journaled(folder: str) -> Reader:
    from lthtui.journaled import JournaledRun  # not of a store alone, as this waits for pydantic

    return JournaledRun(Path(folder))


class StoredRun:
    """A run that only the store knows; where it is ours, levels are told from when they ended."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._curves: dict[str, tuple[object, Curve]] = {}
        self._made: dict[str, tuple[tuple[object, ...], Traces]] = {}

    def read(self, run: RunView, metrics: Sequence[str]) -> dict[str, Traces]:
        """See `Reader.read`."""
        version = self._store.version() if run.active else run.status
        names = {*metrics, REFERENCE, LEVELS} if run.levels else {*metrics}
        curves = {name: self._curve(run.stored, name, version) for name in sorted(names)}
        return {
            name: self._traces(run, name, curves) for name in metrics if curves[name].values.size
        }

    def _curve(self, stored: str, name: str, version: object) -> Curve:
        """A metric with what is new of it; the last step may have got more points, too."""
        before, known = self._curves.get(name, (None, None))
        if known is None or not known.steps.size:
            known = self._store.curve(stored, name)
        elif before != version:
            last = int(known.steps[-1])
            known = joined(known, self._store.curve(stored, name, last - 1), last)
        self._curves[name] = version, known
        return known

    def _traces(self, run: RunView, name: str, curves: Mapping[str, Curve]) -> Traces:
        """What is made of a metric; the very same as before while nothing is new."""
        of = (curves[name], curves.get(LEVELS), curves.get(REFERENCE), len(run.levels))
        before = self._made.get(name)
        if before is None or [*map(id, before[0])] != [*map(id, of)]:
            before = self._made[name] = of, self._make(run, name, curves)
        return before[1]

    def _make(self, run: RunView, name: str, curves: Mapping[str, Curve]) -> Traces:
        curve, ends = curves[name], curves.get(LEVELS)
        if name.startswith("epoch/") and ends is not None and ends.steps.size:
            return by_level(curve, ends, curves[REFERENCE], began(run, curve))
        if name.startswith("level/") and run.levels:
            density = {level.index: level.density for level in run.levels}
            places = [density.get(step, _NOWHERE) for step in curve.steps.tolist()]
            return as_whole(curve, run, density=np.array(places))
        return as_whole(curve, run)


def began(run: RunView, curve: Curve) -> float:
    """When a run did, in seconds since 1970."""
    return run.created or float(curve.times[0])


def as_whole(curve: Curve, run: RunView, density: Floats | None = None) -> Traces:
    """A metric of a whole run over its steps; over levels where their densities are given."""
    steps = curve.steps.astype(np.float64)
    at: dict[XName, Floats] = {"wall": curve.times, "relative": curve.times - began(run, curve)}
    at |= {"step": steps} if density is None else {"level": steps, "density": density}
    return split(np.full(len(steps), WHOLE), curve.values, at)


def by_level(curve: Curve, ends: Curve, epochs: Curve, began: float) -> Traces:
    """Epochs by their level, which is the one that ended next.

    Args:
        curve: over the epochs of the whole run.
        ends: any metric that was measured when each level ended.
        epochs: one that was measured in each epoch.
        began: when the run did.
    """
    order = np.argsort(ends.times, kind="stable")
    times, indices = ends.times[order], ends.steps[order]
    turn = np.searchsorted(times, curve.times, side="left")
    start = np.concatenate([[began], times])
    steps = np.concatenate([[0], epochs.steps])
    done = np.concatenate([[0], steps[np.searchsorted(epochs.times, times, side="right")]])
    at: dict[XName, Floats] = {
        "epoch": (curve.steps - done[turn]).astype(np.float64),
        "relative": curve.times - start[turn],
        "wall": curve.times,
    }
    return split(np.append(indices, indices[-1] + 1)[turn], curve.values, at)


def joined(known: Curve, new: Curve, last: int) -> Curve:
    """A curve with what is new of it from its last step on."""
    kept = int(np.searchsorted(known.steps, last))
    pairs = zip(
        (known.steps, known.times, known.values), (new.steps, new.times, new.values), strict=True
    )
    return Curve(*(np.concatenate([one[:kept], other]) for one, other in pairs))
