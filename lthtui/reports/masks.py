"""How much of their masks tickets share: those of other seeds, and those of other methods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

from lthtui import maskpairs
from lthtui.reports.model import Cell, Table
from lthtui.reports.subject import Subject
from lthtui.rows import Result, Row
from lthtui.significance import mean
from lthtui.written import figure

HEADER = ("method", "with", "pairs", "IoU %", "IoU by chance %")
CAPTION = (
    "Masks of the picked tickets: weights that live in both over those that live in either (IoU),"
    " mean over pairs of tickets, and what masks of as many weights in every layer share by chance."
    " With itself: of every two runs. With another method: of the same seed."
)


def table(subject: Subject) -> Iterator[Table]:
    """Of tickets whose masks are here: with one another, and with the first method's."""
    lines = tuple(_lines(subject.methods))
    if lines:
        yield Table("overlap-tickets", CAPTION, HEADER, lines)


def _lines(methods: Iterable[Row]) -> Iterator[tuple[Cell, ...]]:
    first: Row | None = None
    for row in methods:
        yield from _line(row, "itself", combinations(row.results, 2))
        if first:
            theirs = {one.run.repetition: one for one in first.results}
            beside = ((one, theirs.get(one.run.repetition)) for one in row.results)
            yield from _line(row, first.label, beside)
        if first is None and any(maskpairs.pair(one, one) for one in row.results):
            first = row


def _line(
    row: Row, other: str, tickets: Iterable[tuple[Result, Result | None]]
) -> Iterator[tuple[Cell, ...]]:
    found = [pair for mine, its in tickets if (pair := maskpairs.pair(mine, its))]
    if found:
        means = (figure("accuracy", mean(one)) for one in zip(*found, strict=True))
        yield row.label, other, str(len(found)), *means
