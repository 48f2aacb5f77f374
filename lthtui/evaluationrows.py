"""The evaluations of runs of one group as rows of a table: what was found, failed, or waits."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from lthtui.board import GLYPHS
from lthtui.evaluationtable import Figures, called, figures, heads, inapplicable
from lthtui.heat import Line, wrapped
from lthtui.table import NOTHING, Cell, Column, Row
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.runview import RunView

FEW = 3  # metrics that are shown at once; more unfold
SEPARATOR = "\0"  # between an evaluation and its metric in the key of a row
STATES = ("running", "queued", "failed", "stopped", "dim")  # the first that holds is shown
SAID = {
    "running": f"{GLYPHS['running']} being made",
    "queued": f"{GLYPHS['queued']} waits",
    "failed": f"{GLYPHS['failed']} failed",
    "stopped": f"{GLYPHS['stopped']} not made",
    "dim": "does not apply",
}
Left = Mapping[str, Sequence[tuple[int, str]]]  # by run: levels and names of what it has to make


def table(
    runs: Sequence[RunView], left: Left, turned: Collection[str]
) -> tuple[list[Column], list[Row]]:
    """Columns and rows: one for each evaluation, and below it one for each of its metrics.

    A column says how far evaluations are where one is not made.

    Args:
        turned: those that are unfolded where they usually are not, or the other way round.
    """
    cells, tickets, found = figures(runs), heads(runs), list[Row]()
    states = {name: state_of(runs, left, name) for name in names(runs, left)}
    wanted = any(states.values())
    for name, state in states.items():
        metrics = [metric for one, metric in cells if one == name]
        folded = bool(metrics) and (len(metrics) > FEW) != (name in turned)
        first = f"  {clean_line(metrics[0])}" if folded else ""
        beside = _cells(cells, name, metrics[0], tickets) if folded else [Cell("")] * len(tickets)
        told = [Cell(SAID.get(state, ""), state)] if wanted else []
        fold = "" if not metrics else "▸" if folded else "▾"
        found.append(Row(name, (Cell(clean_line(name) + first), *told, *beside), fold=fold))
        for metric in () if folded else metrics:
            line = [Cell(clean_line(metric), "dim"), *([Cell("")] if wanted else [])]
            line += _cells(cells, name, metric, tickets)
            found.append(Row(f"{name}{SEPARATOR}{metric}", tuple(line), depth=1))
    of = [Column(head, 1 + at, right=True) for at, head in enumerate(tickets)]
    return [Column("evaluation", 0), *([Column("", 1)] if wanted else []), *of], found


def names(runs: Sequence[RunView], left: Left) -> list[str]:
    """All evaluations that there are or are to be."""
    made = {one.name for run in runs for one in run.measured}
    return sorted(made | {name for tasks in left.values() for _, name in tasks})


def state_of(runs: Sequence[RunView], left: Left, name: str) -> str:
    """How far an evaluation is, as a tone; empty where all that was asked for is made."""
    found = {_state(run, left.get(run.run_id, ()), name) for run in runs}
    found |= {"dim"} if name in inapplicable(runs) else set()
    return next((state for state in STATES if state in found), "")


def troubles(runs: Sequence[RunView], name: str, width: int) -> Iterator[Line]:
    """Why an evaluation could not be made of some tickets, and what to do about it, if anything."""
    if why := inapplicable(runs).get(name):
        yield from wrapped(f"does not apply: {clean_line(why, 1000)}", width)
    several = len(runs) > 1
    failed = [
        (run, one) for run in runs for one in run.measured if one.name == name and one.failure
    ]
    for run, one in failed:
        which = f"{run.repetition} " if several else ""
        said = f"{which}{called(run, one.level)}: {clean_line(one.failure, 1000)}"
        yield from wrapped(said, width, "failed")
    if failed:
        yield from wrapped("V tries again, as does `lthtui evaluate` with the run", width)
        yield ()


def _state(run: RunView, left: Sequence[tuple[int, str]], name: str) -> str:
    mine = [level for level, one in left if one == name]
    failed = {one.level for one in run.measured if one.name == name and one.failure}
    if mine and run.active:
        first = run.status == "running" and run.final and left[0][1] == name
        return "running" if first else "queued"
    if failed:
        return "failed"
    return "stopped" if mine else ""


def _cells(cells: Figures, name: str, metric: str, tickets: Sequence[str]) -> list[Cell]:
    of = cells[name, metric]
    return [Cell(of[head]) if head in of else NOTHING for head in tickets]
