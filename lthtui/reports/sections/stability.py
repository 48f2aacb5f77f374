"""Stability: barriers between a ticket and others, and between two trainings of it.

Linear mode connectivity and instability to the noise of SGD, after Frankle et al. 2020.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import nan
from typing import Any

from engine.repetition import Repetition
from lthtui.reports import figures
from lthtui.reports.evaluated import Which
from lthtui.reports.model import Absent, Block, Cell, Figure, Number, Section, Table
from lthtui.reports.subject import Subject, look
from lthtui.reports.wording import reach
from lthtui.rows import Row
from lthtui.runview import LevelView
from lthtui.significance import mean

NAMES = {
    "connectivity": "the level before it of those that were kept, or what it was compared with",
    "instability": "two trainings of it with other orders and augmentations",
}
BEGINS = {
    "connectivity": "the kept level before, or what was compared with,",
    "instability": "one training of the picked ticket",
}
ENDS = {"connectivity": "the picked ticket", "instability": "the other training"}
BARRIER = ("barrier", "barrier_without_recalibration", "error_of_ends")
HEADER = ("method", "between", "level", "barrier", "old statistics", "error of ends %", "n")


def build(subject: Subject) -> Section | Absent:
    """A table of barriers, and the errors along the lines."""
    rows = [*_rows(subject)]
    if not rows:
        asked = ("--with", ",".join(NAMES), "--level", "all")
        title = "Whether tickets lie in one valley: barriers on straight lines between networks"
        return Absent(title, (subject.command("evaluate", *asked),))
    caption = (
        "Barriers in points of test error: how far the highest error on the straight line between"
        " two networks is above the mean of its ends (Frankle et al. 2020), with the statistics of"
        " batch normalisation taken anew along it, and with the old ones, mixed. Below 2 points"
        " the two are called stable. connectivity: between a ticket and"
        f" {NAMES['connectivity']}; instability: between {NAMES['instability']}."
    )
    blocks: list[Block] = [Table("barriers", caption, HEADER, tuple(rows))]
    for name in NAMES:
        blocks += _figures(subject, name)
    blocks += _maps(subject)
    return Section("Stability", tuple(blocks))


def _rows(subject: Subject) -> Iterator[tuple[Cell, ...]]:
    for row in subject.methods:
        for name in NAMES:
            for label in subject.evaluations.called(name):
                for after in _afters(subject, row, label):
                    between = f"{label}{after and f' after {after}'}"
                    for said, level in _told(subject, row, label, after):
                        found = _found(subject, row, label, level, after)
                        yield _row(row, between, said, found)


def _told(subject: Subject, row: Row, label: str, after: str) -> Iterator[tuple[str, Which]]:
    """The picked tickets together, whichever levels they are of, and levels that all runs tell."""
    known = {one: _found(subject, row, label, one, after)[0] for one in _levels(row)}
    most = len({which for found in known.values() for which in found})
    levels = [level for level, found in known.items() if len(found) == most > 0]
    picked = _found(subject, row, label, "ticket", after)[0]
    if picked:
        yield "picked", "ticket"
    if len(levels) > 1 or not picked:
        yield from ((str(level), level) for level in levels)


def _found(
    subject: Subject, row: Row, label: str, level: Which, after: str
) -> list[dict[Repetition, float]]:
    """What is told of barriers, over repetitions."""
    names = (f"{after}/{one}" if after else one for one in BARRIER)
    return [subject.evaluations.values(row.runs, label, one, level) for one in names]


def _afters(subject: Subject, row: Row, label: str) -> list[str]:
    """After how much training two copies parted, where there are several; or else nothing."""
    made = (subject.evaluations.of(run, label, level) for run in row.runs for level in _levels(row))
    names = (name.rpartition("/") for one in made if one for name in one.metrics)
    return [*dict.fromkeys(after for after, _, metric in names if metric == BARRIER[0])]


def _row(
    row: Row, between: str, level: str, found: list[dict[Repetition, float]]
) -> tuple[Cell, ...]:
    anew, old, ends = (one.values() for one in found)
    return (
        row.label,
        between,
        level,
        Number.of(anew, "points"),
        Number.of(old, "points"),
        Number.of(ends, "accuracy"),
        str(len(found[0])),
    )


def _levels(row: Row) -> list[int]:
    every: set[LevelView] = {level for run in row.runs for level in run.ended_levels}
    return sorted({level.index for level in every})


def _figures(subject: Subject, name: str) -> Iterator[Figure]:
    for number, label in enumerate(subject.evaluations.called(name)):
        lines = {
            row.label: (row, found)
            for row in subject.methods
            if (found := _along(subject, row, label))
        }
        if not lines:
            continue

        def draw(canvas: Any, lines: Mapping[str, Any] = lines) -> None:
            axes = canvas.subplots()
            for text, (row, found) in lines.items():
                pen, x = look(subject, row), [share for share in found]
                means = [mean(values) for values in found.values()]
                half = [reach(values, subject.spread) or 0.0 for values in found.values()]
                line: Any = {"color": pen.colour, "linestyle": pen.dash, "linewidth": 1.3}
                axes.plot(x, means, label=text, marker=pen.marker, markersize=4, **line)
                low, high = ([m + s * h for m, h in zip(means, half, strict=True)] for s in (-1, 1))
                axes.fill_between(x, low, high, color=pen.colour, alpha=0.15, linewidth=0)
            figures.percent(axes.yaxis)
            axes.set(xlabel=f"share of {ENDS[name]}", ylabel="test error (%)")
            figures.below(canvas)

        caption = (
            f"Test error on the straight line from {BEGINS[name]} to {ENDS[name]} ({label}),"
            " statistics of batch normalisation taken anew."
        )
        yield Figure(
            f"{name}{f'-{number}' if number else ''}", caption, draw, (5.5, 3.8), spread=True
        )


def _maps(subject: Subject) -> Iterator[Figure]:
    """Barriers by level and by how much training came first, where there are several of both."""
    for row in subject.methods:
        for number, label in enumerate(subject.evaluations.called("instability")):
            afters = _afters(subject, row, label)
            known = {
                (level, after): mean([*found.values()])
                for level in _levels(row)
                for after in afters
                if (found := _found(subject, row, label, level, after)[0])
            }
            levels = sorted({level for level, _ in known})
            if len(levels) > 1 and len(afters) > 1:
                table = [[known.get((one, after), nan) for one in levels] for after in afters]
                which = f"{row.first.group[:8]}{f'-{number}' if number else ''}"
                yield _map(f"instability-map-{which}", row.label, levels, afters, table)


def _map(
    name: str, label: str, levels: list[int], afters: list[str], table: list[list[float]]
) -> Figure:
    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        image = axes.imshow(table, aspect="auto", cmap="viridis", vmin=0)
        axes.set_xticks(range(len(levels)), [*map(str, levels)])
        axes.set_yticks(range(len(afters)), afters)
        axes.grid(visible=False)
        axes.set(xlabel="level", ylabel="trained before two copies part")
        bar = canvas.colorbar(image, ax=axes, label="barrier (points)")
        figures.percent(bar.ax.yaxis)

    caption = f"Instability to the noise of SGD by level and by when two copies part: {label}."
    return Figure(name, caption, draw, (4.5, 3.2))


def _along(subject: Subject, row: Row, label: str) -> dict[float, tuple[float, ...]]:
    """By share, the errors of the picked tickets over repetitions."""
    found: dict[float, tuple[float, ...]] = {}
    file = f"{label.split(' ')[0]}.json"
    for document in subject.evaluations.documents(row.runs, label, file).values():
        line = _line(document)
        if line and (not found or found.keys() == line.keys()):
            found = {share: (*found.get(share, ()), error) for share, error in line.items()}
    return found


def _line(document: Any) -> dict[float, float]:
    """A line's errors by share; of several that begin after some training, the first."""
    if isinstance(document, dict) and "share" not in document and document:
        document = next(iter(document.values()))
    try:
        return dict(zip(document["share"], document["error"], strict=True))
    except (KeyError, TypeError, ValueError):
        return {}
