"""The levels of a run as a table, or those of a group with mean and deviation over its seeds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from statistics import mean

from lthtui import ticketindex
from lthtui.board import Group, duration, operations, percent
from lthtui.columns import spread
from lthtui.fields import Field
from lthtui.runview import LevelView, RunView
from lthtui.table import NOTHING, Cell, Column, Row
from lthtui.ticketindex import Ticket
from lthtui.verdict import MARK, PICKED, wins

COLUMNS = (
    Column("level", rank=0),
    Column("kept", rank=2, right=True),
    Column("weights", rank=5, right=True),
    Column("epochs", rank=7, right=True),
    Column("val", rank=3, right=True),
    Column("test", rank=4, right=True),
    Column("time", rank=6, right=True),
    Column("FLOPs/image", rank=9, right=True),
    Column("train FLOPs", rank=8, right=True),
    Column("ticket", rank=10),
)
VAL, TEST = Field.parse("val"), Field.parse("test")


def rows(runs: Sequence[RunView], unfolded: Collection[str] = ()) -> list[Row]:
    """One row per level that has started; picked ones have a mark, that tells winning ones.

    Args:
        unfolded: keys of rows below which every seed has one of its own.
    """
    indices = sorted({level.index for run in runs for level in run.levels})
    found = []
    for index in indices:
        fold = "" if not runs[1:] else "▾" if str(index) in unfolded else "▸"
        found.append(Row(str(index), _cells(index, runs), fold=fold))
        if fold == "▾":
            found += [_seed(index, run) for run in runs if _at(run, index)]
    return found


def tickets(group: Group, runs: Sequence[RunView]) -> dict[str, Ticket]:
    """By the keys of rows, the levels of runs as tickets; of several seeds the first one's."""
    found: dict[str, Ticket] = {}
    for run in runs:
        for level in run.levels:
            one = ticketindex.ticket(group, run, level)
            found[one.key] = one
            found.setdefault(str(level.index), one)
    return found


def seeds(index: int, runs: Sequence[RunView]) -> list[str]:
    """The keys of the rows below that of a level."""
    return [f"{run.run_id}:{index}" for run in runs if _at(run, index)]


def _seed(index: int, run: RunView) -> Row:
    """The row of one seed's level."""
    name, *cells = _cells(index, [run])
    head = Cell(f"{run.repetition}{name.text.removeprefix(str(index))}", name.tone)
    return Row(f"{run.run_id}:{index}", (head, *cells), depth=1)


def _at(run: RunView, index: int | None) -> LevelView | None:
    return next((level for level in run.levels if level.index == index), None)


def _cells(index: int, runs: Sequence[RunView]) -> tuple[Cell, ...]:
    levels = [level for run in runs for level in run.levels if level.index == index]
    picked = [run for run in runs if any(run.winning is one and one.sparse for one in levels)]
    won = sum(map(wins, picked))
    marks = ((MARK, won), (PICKED, len(picked) - won))
    counted = [f"{mark} ×{count}" if runs[1:] else mark for mark, count in marks if count]
    tone = "winning" if won else ""
    return (
        Cell(" ".join([str(index), *counted]), tone),
        Cell(percent(mean(level.density for level in levels)), tone),
        _weights(levels),
        _epochs(levels),
        spread(VAL, [level.val for level in levels], len(runs)),
        spread(TEST, [level.test for level in levels], len(runs)),
        _seconds(levels),
        _operations([level.inference_flops for level in levels]),
        _operations([level.training_flops for level in levels]),
        _ticket(levels),
    )


def _weights(levels: Sequence[LevelView]) -> Cell:
    kept = {level.kept for level in levels}
    if len(kept) > 1:
        return Cell(f"≈{round(mean(kept)):,}")
    return Cell(f"{levels[0].kept:,}/{levels[0].total:,}")


def _epochs(levels: Sequence[LevelView]) -> Cell:
    if len(levels) == 1:
        planned = max(levels[0].planned, levels[0].epochs)
        return Cell(f"{levels[0].epochs}/{planned}")
    return Cell(f"{mean(level.epochs for level in levels):.4g}")


def _seconds(levels: Sequence[LevelView]) -> Cell:
    known = [level.seconds for level in levels if level.seconds is not None]
    return Cell(duration(mean(known))) if known else NOTHING


def _operations(counts: Sequence[float | None]) -> Cell:
    known = [count for count in counts if count is not None]
    return Cell(operations(mean(known))) if known else NOTHING


def _ticket(levels: Sequence[LevelView]) -> Cell:
    """Where a level's weights are, or of how many runs; searches trained no ticket."""
    if any(level.search for level in levels):
        return Cell("search", "dim")
    kept = [level.ticket for level in levels if level.ticket]
    if not kept:
        return NOTHING
    return Cell(kept[0] if len(levels) == 1 else f"{len(kept)} kept", "dim")
