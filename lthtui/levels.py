"""The levels of a run as a table, or those of a group with mean and deviation over its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from lthtui.board import duration, operations, percent
from lthtui.columns import spread
from lthtui.fields import Field
from lthtui.runview import LevelView, RunView
from lthtui.table import NOTHING, Cell, Column, Row
from lthtui.verdict import MARK, PICKED, wins

COLUMNS = (
    Column("level", rank=1),
    Column("kept", rank=2, right=True),
    Column("weights", rank=5, right=True),
    Column("epochs", rank=7, right=True),
    Column("val", rank=3, right=True),
    Column("test", rank=4, right=True),
    Column("time", rank=6, right=True),
    Column("FLOPs/image", rank=9, right=True),
    Column("train FLOPs", rank=8, right=True),
    Column("ticket", rank=0),
)
VAL, TEST = Field.parse("val"), Field.parse("test")


def rows(runs: Sequence[RunView]) -> list[Row]:
    """One row per level that has started; picked ones have a mark, that tells winning ones."""
    indices = sorted({level.index for run in runs for level in run.levels})
    return [_row(index, runs) for index in indices]


def _row(index: int, runs: Sequence[RunView]) -> Row:
    levels = [level for run in runs for level in run.levels if level.index == index]
    picked = [run for run in runs if any(run.winning is one and one.sparse for one in levels)]
    won = sum(map(wins, picked))
    marks = ((MARK, won), (PICKED, len(picked) - won))
    counted = [f"{mark} ×{count}" if runs[1:] else mark for mark, count in marks if count]
    tone = "winning" if won else ""
    cells = (
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
    return Row(str(index), cells)


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
