"""What a group of runs came to: its results over seeds, with their spread, gains and cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from lthtui import significance
from lthtui.runview import LevelView, RunView
from lthtui.spent import Spent

Choice = Literal["winning", "best", "last", "dense", "val", "test"] | int


@dataclass(frozen=True)
class Spread:
    """Mean and sample deviation of `count` values; no deviation of a single one."""

    mean: float
    deviation: float | None
    count: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread | None:
        """Over the values that are known; None if none is."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        spread = significance.deviation(known) if known[1:] else None
        return cls(significance.mean(known), spread, len(known))


@dataclass(frozen=True)
class Result:
    """What one run came to at a level, and what it took to have that level.

    Attributes:
        spent: on all levels that were trained for it, here and in runs that this one starts from.
    """

    run: RunView
    level: LevelView
    spent: Spent


@dataclass(frozen=True)
class Gain:
    """Test accuracy over a baseline's; `paired` by repetition, or of means where none is shared."""

    spread: Spread
    paired: bool


@dataclass(frozen=True)
class Row:
    """A group: one method with its settings, over its seeds, folds and draws.

    Attributes:
        results: those of its runs that have the level that is read, in the order of `runs`.
        gains: by baseline; None for the baseline itself and where there is nothing to compare.
        cost, inference: training and inference operations, relative to the first baseline's.
    """

    label: str
    runs: tuple[RunView, ...]
    results: tuple[Result, ...]
    gains: Mapping[str, Gain | None] = field(default_factory=dict)
    cost: float | None = None
    inference: float | None = None

    @property
    def first(self) -> RunView:
        """One of its runs, to speak for what all have in common."""
        return self.runs[0]

    @property
    def method(self) -> str:
        """Its sparsifier, or what it is as a control."""
        return self.first.controls.kind if self.first.controls else self.first.sparsifier

    def spread(self, value: Callable[[Result], float | None]) -> Spread | None:
        """A figure of its results over the runs."""
        return Spread.of(value(result) for result in self.results)
