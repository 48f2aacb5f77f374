"""The line that tells which level is looked at: where it is in its row, and what it came to."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from engine.repetition import unit
from lthtui import columns
from lthtui.board import percent
from lthtui.fields import Field
from lthtui.table import Cell
from lthtui.verdict import MARK, PICKED, wins

if TYPE_CHECKING:
    from lthtui.runview import LevelView, RunView

VAL, TEST = Field.parse("val"), Field.parse("test")
WIDEST = 40  # cells of the track


class Slide(NamedTuple):
    """A level in its row.

    Attributes:
        known: levels that have begun, rising.
        last: the last level that there is to be.
        newest: whether newer levels are followed.
        facts: what there is to say of it, the most important first.
    """

    level: int
    known: tuple[int, ...]
    last: int
    newest: bool
    facts: tuple[Cell, ...]

    def track(self, width: int) -> list[tuple[str, int]]:
        """The row drawn over at most so many cells: each with the level that it stands for."""
        cells = min(self.last + 1, width, WIDEST)
        if cells < 2:
            return []
        drawn = []
        for cell in range(cells):
            first = -(-cell * (self.last + 1) // cells)
            after = -(-(cell + 1) * (self.last + 1) // cells)
            begun = any(first <= one < after for one in self.known)
            here = first <= self.level < after
            drawn.append(("●" if here else "━" if begun else "┄", self.level if here else first))
        return drawn

    def beside(self, by: int) -> int | None:
        """The level that many further in the row; None, which follows the newest, at its end."""
        return self.towards(self.known.index(self.level) + by)

    def nearest(self, level: int) -> int | None:
        """The level that has begun and is the nearest; None for the newest."""
        near = min(self.known, key=lambda one: abs(one - level))
        return self.towards(self.known.index(near))

    def towards(self, at: int) -> int | None:
        """The level at a place among those that have begun; None for the newest."""
        return self.known[max(at, 0)] if at < len(self.known) - 1 else None


def slide(runs: Sequence[RunView], more: Sequence[int], level: int | None) -> Slide | None:
    """Where a level is in the row of all levels; None where there are not several.

    Args:
        more: levels that something is known of although no run has them.
        level: None for the newest.
    """
    known = sorted({one.index for run in runs for one in run.levels} | {*more})
    last = max([run.planned_levels - 1 for run in runs] + known[-1:], default=0)
    if not known or last < 1:
        return None
    shown = known[-1] if level is None or level not in known else level
    return Slide(shown, tuple(known), last, level is None, tuple(_facts(runs, shown)))


def _facts(runs: Sequence[RunView], index: int) -> list[Cell]:
    pairs = [(run, one) for run in runs for one in run.levels if one.index == index]
    levels = [one for _, one in pairs]
    if not levels:
        return []
    facts = [_trouble(pairs), Cell(f"{percent(fmean(one.density for one in levels))} kept")]
    for field, values in ((VAL, [one.val for one in levels]), (TEST, [one.test for one in levels])):
        found = columns.spread(field, values, len(runs))
        if any(value is not None for value in values):
            facts.append(Cell(f"{field.name} {found.text}"))
    if len(levels) < len(runs):
        what = unit(run.repetition for run in runs)
        facts.append(Cell(f"{len(levels)} of {len(runs)} {what}s", "scarce"))
    picked = [run for run, one in pairs if run.winning is one and one.sparse]
    won = sum(map(wins, picked))
    for mark, count, tone in ((MARK, won, "winning"), (PICKED, len(picked) - won, "dim")):
        if count:
            facts.append(Cell(f"{mark} ×{count}" if len(runs) > 1 else mark, tone))
    return [fact for fact in facts if fact.text]


def _trouble(pairs: Sequence[tuple[RunView, LevelView]]) -> Cell:
    """That a run came to no good in this level: first of all, which is not a number."""
    for run, level in pairs:
        lost = next((at for at, loss in enumerate(level.losses, 1) if not isfinite(loss)), None)
        whose = f"{run.repetition} " if len(pairs) > 1 else ""
        if lost is not None:
            return Cell(f"✗ {whose}diverged in epoch {lost}", "failed")
        if run.status in ("failed", "lost") and level is run.current:
            return Cell(f"✗ {whose}{run.status} here", "failed")
    return Cell("")
