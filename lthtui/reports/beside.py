"""Dense networks beside tickets: what evaluations found of both, run by run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.repetition import Repetition, overlap
from lthtui import significance
from lthtui.reports import evaluated
from lthtui.reports.model import Cell, Kind, Number, Table
from lthtui.reports.subject import Subject
from lthtui.rows import Row
from lthtui.runview import BALANCED
from lthtui.significance import Finding

HEADER = ("", "dense", "ticket", "ticket − dense", "p")
Values = Mapping[Repetition, float]


@dataclass(frozen=True)
class Line:
    """A number of an evaluation.

    Attributes:
        label: of the evaluation, with its settings.
        text: what it is called, with its unit.
        difference: of what kind differences are.
        tested: whether it is a hypothesis that differences are tested for.
        balanced: the number that is the same of balanced accuracy, if there is one.
    """

    label: str
    metric: str
    text: str
    kind: Kind = "accuracy"
    difference: Kind = "points"
    tested: bool = True
    balanced: str = ""


def table(subject: Subject, name: str, caption: str, lines: Sequence[Line]) -> Table | None:
    """Every line of every method that knows it; None if none does.

    Accuracies are balanced ones, too, where methods pick levels by these. Differences are paired by
    repetition, their p Holm-corrected over the table.
    """
    known = [*_known(subject.methods, [*_weighed(lines, subject)], subject)]
    if not known:
        return None
    findings = significance.holm(
        [_tested(dense, ticket) if line.tested else None for _, line, dense, ticket in known]
    )
    several = len({row.first.group for row, *_ in known}) > 1
    rows = [
        _row(f"{row.label}: {line.text}" if several else line.text, line, dense, ticket, finding)
        for (row, line, dense, ticket), finding in zip(known, findings, strict=True)
    ]
    tested = (
        " p: paired t-test of the difference, Holm-corrected over this table."
        if any(one and one.p is not None for one in findings)
        else ""
    )
    seen = evaluated.told(subject.evaluations, [line.label for line in lines])
    return Table(name, f"{caption}{seen}{_of(subject, known)}{tested}", HEADER, tuple(rows))


def _weighed(lines: Iterable[Line], subject: Subject) -> Iterator[Line]:
    """With those of balanced accuracy behind them, if a method picks levels by it."""
    wanted = any(row.first.metric == BALANCED for row in subject.methods)
    for line in lines:
        yield line
        if wanted and line.balanced:
            text = f"{line.text.removesuffix(' %').removesuffix(',')}, balanced over classes %"
            yield replace(line, metric=line.balanced, text=text, balanced="")


def _of(subject: Subject, known: Sequence[tuple[Row, Line, Values, Values]]) -> str:
    """Which methods were evaluated, unless all were."""
    there = {row.first.group: row.label for row, *_ in known}
    if len(there) == len(subject.methods):
        return ""
    return f" Of {', '.join(there.values())} alone: of the other methods nothing of this is known."


def _known(
    methods: Iterable[Row], lines: Iterable[Line], subject: Subject
) -> Iterator[tuple[Row, Line, Values, Values]]:
    every = [*lines]
    for row in methods:
        for line in every:
            dense, ticket = (
                subject.evaluations.values(row.runs, line.label, line.metric, which)
                for which in ("dense", "ticket")
            )
            if dense or ticket:
                yield row, line, dense, ticket


def _tested(dense: Values, ticket: Values) -> Finding | None:
    shared = ticket.keys() & dense.keys()
    return significance.test(ticket, dense, "paired", overlap(shared)) if shared else None


def _row(
    text: str, line: Line, dense: Values, ticket: Values, finding: Finding | None
) -> tuple[Cell, ...]:
    differences = [ticket[one] - dense[one] for one in ticket if one in dense]
    return (
        text,
        Number.of(dense.values(), line.kind),
        Number.of(ticket.values(), line.kind),
        Number.of(differences, line.difference),
        Number.p(finding),
    )
