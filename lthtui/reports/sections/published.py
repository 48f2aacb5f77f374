"""Published: what the data-efficient tickets paper prints, beside the runs of its specs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from lthtui import published
from lthtui.published import Beside, Cell, Column, Entry
from lthtui.reports import model
from lthtui.reports.evaluated import Which
from lthtui.reports.model import Absent, Details, Number, Section, Table
from lthtui.reports.subject import Subject
from lthtui.reports.wording import UNKNOWN
from lthtui.runview import RunView
from lthtui.written import figure

ENDINGS = (".yaml", ".yml")


def build(subject: Subject) -> Section | Absent | None:
    """A table for each of the paper's that the runs belong to; None where they belong to none."""
    specs = [Path(word).stem for word in subject.words if word.endswith(ENDINGS)]
    runs = {(run.run_id, run.group): run for run in (*subject.runs, *subject.controls)}
    found = published.of([*runs.values()], specs)
    known = [one for one in found if any(cell.groups for row in one.rows for cell in row)]
    if not known:
        return None
    paper = published.load()
    tables = [_table(subject, one) for one in known]
    remarks = " ".join([f"{paper.title}.", *map(_sentence, (*paper.remarks, *_unlike(subject)))])
    return Section("Beside the published numbers", (remarks, *tables, *_missing(subject, known)))


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _unlike(subject: Subject) -> Iterator[str]:
    """What of the paper's protocol the runs do not follow."""
    differences = dict.fromkeys(
        f"{field} {ours} instead of {theirs}"
        for run in subject.runs
        if run.controls is None
        for field, (ours, theirs) in published.unlike(run).items()
    )
    if differences:
        yield f"Not as in the paper: {'; '.join(differences)}"


def _table(subject: Subject, beside: Beside) -> Table:
    entry = beside.entry
    titles = [f"{one.title}{' %' if one.unit == 'percent' else ''}" for one in entry.columns]
    titles += ["gain"] * _gains(entry)
    header = ("", *(text for title in titles for text in (f"{title} published", "ours")))
    rows = tuple(line for cells in beside.rows for line in _lines(subject, entry, cells))
    remarks = [row.remark and f"{row.label}: {row.remark}" for row in entry.rows]
    told = [_sentence(text) for text in (*entry.remarks, *remarks) if text]
    return Table(f"published-{entry.id}", " ".join([f"{entry.title}.", *told]), header, rows)


def _gains(entry: Entry) -> bool:
    """Whether tickets stand beside dense networks, and nothing else does."""
    return [(one.which, one.evaluation) for one in entry.columns] == [("dense", ""), ("ticket", "")]


def _lines(
    subject: Subject, entry: Entry, cells: Sequence[Cell]
) -> Iterator[tuple[model.Cell, ...]]:
    """A line for each group that stands for a row, or one without any."""
    groups = dict.fromkeys(runs[0].group for cell in cells for runs in cell.groups) or {"": None}
    several = max((len(cell.groups) for cell in cells), default=0) > 1
    for group in groups if several else [next(iter(groups))]:
        label = cells[0].row.label
        named = f"{label} ({subject.labels.get(group, group[:8])})" if several else label
        ours = [_measured(subject, cell, group if several else "") for cell in cells]
        yield named, *_printed(entry, cells, ours)


def _printed(
    entry: Entry, cells: Sequence[Cell], ours: Sequence[Mapping[str, float]]
) -> Iterator[model.Cell]:
    """What is printed, and what was measured beside it."""
    for cell, found in zip(cells, ours, strict=True):
        kind: Literal["accuracy", "number"] = (
            "accuracy" if cell.column.unit == "percent" else "number"
        )
        yield UNKNOWN if cell.number is None else figure(kind, cell.number)
        yield Number.of(found.values(), kind)
    if _gains(entry):
        dense, ticket = (cell.number for cell in cells)
        known = dense is not None and ticket is not None
        yield figure("points", (ticket or 0.0) - (dense or 0.0)) if known else UNKNOWN
        before, after = ours
        yield Number.of((after[one] - before[one] for one in after if one in before), "points")


def _measured(subject: Subject, cell: Cell, group: str) -> dict[str, float]:
    """What was measured of runs, by their ids: of one group, or of all that stand for a cell."""
    runs = [run for one in cell.groups if not group or one[0].group == group for run in one]
    found = {run.run_id: _value(subject, run, cell.column) for run in runs}
    return {run: value for run, value in found.items() if value is not None}


def _value(subject: Subject, run: RunView, column: Column) -> float | None:
    which = _which(run, column)
    if which is None:
        return None
    if not column.evaluation:
        return next((one.test for one in run.ended_levels if one.index == which), None)
    labels = filter(column.measures, subject.evaluations.labels)
    made = (subject.evaluations.of(run, label, which) for label in labels)
    return next((one.metrics.get(column.metric) for one in made if one), None)


def _which(run: RunView, column: Column) -> Which | None:
    """The number of the level that a column is about."""
    if not run.done:
        return None
    match column.which:
        case "dense":
            return run.dense.index if run.dense else None
        case "ticket":
            return run.winner if run.winning and run.winning.sparse else None
        case "picked":
            return run.winner
    return run.ended_levels[-1].index if run.ended_levels else None


def _missing(subject: Subject, known: Sequence[Beside]) -> Iterator[Details]:
    """The commands that make what stands empty, and that have it in the report."""
    cells = [cell for one in known for row in one.rows for cell in row]
    missing = [cell for cell in cells if cell.number is not None and not cell.groups]
    rows: dict[str, list[str]] = {}
    for cell in missing:
        rows.setdefault(cell.command, []).append(cell.row.label)
    lines = [f"{command}    # {', '.join(dict.fromkeys(of))}" for command, of in rows.items()]
    named = {Path(word).stem for word in subject.words}
    files = dict.fromkeys(cell.files[-1] for cell in missing)
    if others := [file for file in files if Path(file).stem not in named]:
        lines.append(f"{subject.again(*others, '-o', 'DIR')}    # with their runs")
    if lines:
        yield Details("What is not in this report", "\n".join(lines))
