"""Cost: what it took to find tickets, the search included, and what they save."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lthtui import baseline
from lthtui.counting import counted
from lthtui.reports import beside, figures
from lthtui.reports.beside import Line
from lthtui.reports.model import Block, Cell, Details, Figure, Kind, Number, Section, Table
from lthtui.reports.subject import Subject, look
from lthtui.reports.wording import reach
from lthtui.rows import Result, Row
from lthtui.significance import mean

Value = Callable[[Result], float | None]
SPENT: tuple[tuple[str, Kind, Value], ...] = (
    ("training FLOPs", "operations", lambda one: one.spent.training_flops),
    ("time (m:s)", "seconds", lambda one: one.spent.seconds),
    ("device time (m:s)", "seconds", lambda one: one.spent.device_seconds),
    ("energy", "joules", lambda one: one.spent.joules),
    ("FLOPs/image", "operations", lambda one: one.level.inference_flops),
)
BATCH = re.compile("batch ([0-9]+) ")
WAYS = {
    "masked": "zeros kept",
    "narrowed": "without dead channels",
    "csr": "compressed sparse rows",
    "2_4": "2:4",
}


def build(subject: Subject) -> Section:
    """Tables, and cost against accuracy."""
    blocks: list[Block] = [_table(subject), *_figure(subject), *_sizes(subject), *_latency(subject)]
    if subject.here and not subject.evaluations.called("latency"):
        asked = ("--with", "cost,latency", "--level", "dense,best")
        blocks.append(Details("Real latency was not measured", subject.command("evaluate", *asked)))
    return Section("Cost", tuple(blocks))


def _table(subject: Subject) -> Table:
    known = [
        (name, kind, value)
        for name, kind, value in SPENT
        if any(value(one) is not None for row in subject.rows for one in row.results)
    ]
    header = ("method", *(name for name, *_ in known), "× dense to train", "× dense per image")
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            row.label,
            *(Number.of(map(value, row.results), kind) for _, kind, value in known),
            *("–" if one is None else f"{one:.3g}" for one in (row.cost, row.inference)),
        )
        for row in subject.rows
    )
    caption = (
        "What it took to have the picked networks: all trainings of a run, searches and denser"
        " levels included, and those of the runs whose tickets it starts from. Operations count"
        " two for each living weight and place, forwards and backwards; time is that of the clock,"
        " on machines that others may have used. × dense: over one dense training of the same kind."
    )
    return Table("cost", caption, header, rows)


def _figure(subject: Subject) -> Iterator[Figure]:
    """Accuracy against all operations of training, where known; dense networks are hollow."""
    every = [(row, found) for row in subject.rows if (found := _points(row))]
    known, rest = figures.few(every)
    if not known:
        return

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        for row, found in known:
            pen = look(subject, row)
            style: Any = {"color": pen.colour, "marker": pen.marker, "linestyle": ""}
            _point(axes, found, subject, label=row.label, **style)
        for colour, found in _dense(subject, [row for row, _ in known]):
            style = {"color": colour, "marker": "o", "linestyle": "", "markerfacecolor": "white"}
            _point(axes, found, subject, **style)
        axes.set_xscale("log")
        figures.operations(axes.xaxis)
        figures.percent(axes.yaxis)
        axes.set(xlabel="operations of all trainings", ylabel="test accuracy (%)")
        figures.below(canvas)

    caption = (
        "Test accuracy of what was picked against the operations of all trainings that it took;"
        f" hollow: one dense training.{rest}"
    )
    yield Figure("cost-accuracy", caption, draw, (6.0, 4.6), spread=True)


def _points(row: Row) -> list[tuple[float, float]]:
    """Operations and test accuracy of each run."""
    return [
        (cost, one.level.test)
        for one in row.results
        if (cost := one.spent.training_flops) is not None and one.level.test is not None
    ]


def _point(axes: Any, found: list[tuple[float, float]], subject: Subject, **style: Any) -> None:
    if found:
        costs, tests = zip(*found, strict=True)
        half = reach(tests, subject.spread) or 0.0
        axes.errorbar([mean(costs)], [mean(tests)], [half], markersize=5, elinewidth=0.8, **style)


def _dense(
    subject: Subject, rows: Sequence[Row]
) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """One dense training of each family, in the colour of its first method."""
    families: dict[str, Row] = {}
    for row in rows:
        families.setdefault(row.first.family, row)
    for family, row in families.items():
        runs = [run for run in (*subject.runs, *subject.known) if run.family == family]
        levels = [run.dense for run in baseline.dense(runs).values()]
        found = [
            (one.training_flops, one.test)
            for one in levels
            if one and one.training_flops is not None and one.test is not None
        ]
        yield look(subject, row).colour, found


def _sizes(subject: Subject) -> Iterator[Table]:
    lines = [
        Line("cost", "parameters kept", "parameters", "count", "count", False),
        Line("cost", "packed bytes", "bytes, packed", "bytes", "bytes", False),
        Line("cost", "dense bytes", "bytes, dense", "bytes", "bytes", False),
        Line("cost", "inference FLOPs", "operations per image", "operations", "operations", False),
    ]
    caption = (
        "What is stored and computed. Packed: the weights that live, all that is not pruned, and a"
        " bit for each prunable weight."
    )
    found = beside.table(subject, "cost-size", caption, lines)
    if found is not None:
        yield found


def _latency(subject: Subject) -> Iterator[Table]:
    for number, label in enumerate(subject.evaluations.called("latency")):
        rows = [*_times(subject, label)]
        if rows:
            which = f"-{number}" if number else ""
            header = ("method", "images at a time", *(f"{said} ×" for said in WAYS.values()))
            caption = (
                "How many times faster than the dense network tickets are on"
                f" {_where(subject, label)} ({label}): medians over repeats, mean"
                " over runs. Zeros alone gain nothing: how far they are from 1 is how exact all"
                " of this is. Networks without their dead channels say the same, and so do"
                " compressed rows."
                " A dash: the network or the device gains nothing from it, or cannot do it."
            )
            yield Table(f"latency{which}", caption, header, tuple(rows))


def _times(subject: Subject, label: str) -> Iterator[tuple[Cell, ...]]:
    for row in subject.methods:
        for size in _batches(subject, row, label):
            cells = [
                Number.of(
                    subject.evaluations.values(
                        row.runs, label, f"batch {size} {way} speed-up"
                    ).values()
                )
                for way in WAYS
            ]
            if any(cell.values for cell in cells):
                yield row.label, size, *cells


def _batches(subject: Subject, row: Row, label: str) -> list[str]:
    """The numbers of images at a time that were timed."""
    made = (subject.evaluations.of(run, label) for run in row.runs)
    names = (BATCH.match(metric) for one in made if one for metric in one.metrics)
    return [*dict.fromkeys(found[1] for found in names if found)]


def _where(subject: Subject, label: str) -> str:
    """The devices that they were timed on."""
    told = dict.fromkeys(
        f"{one.get('device', 'a device')} ({_threads(one)}, {one.get('precision', '?')})"
        for one in subject.evaluations.every(label)
    )
    return ", ".join(told) or "a device"


def _threads(document: dict[str, Any]) -> str:
    """How many there were, as far as it is told."""
    known = document.get("threads")
    return counted(known, "thread") if isinstance(known, int) else "? threads"
