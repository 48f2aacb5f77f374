"""Training: whether networks had learned what they could when their training ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lthtui.reports import figures
from lthtui.reports.evaluated import Which, meant
from lthtui.reports.model import Cell, Figure, Number, Section, Table
from lthtui.reports.subject import Subject, look
from lthtui.reports.wording import reach
from lthtui.rows import Row
from lthtui.significance import mean

HEADER = ("method", "network", "epochs", "loss at first", "loss at last", "last tenth %")
BOTH: tuple[Which, Which] = ("dense", "ticket")
PART = 10  # of a training is looked at for how much it still gained
Curves = list[tuple[float, ...]]  # losses by epoch, over runs


def build(subject: Subject) -> Section | None:
    """A table and curves of losses; None of runs that only the store knows."""
    known = [
        (row, which, found)
        for row in subject.methods
        for which in BOTH
        if (found := losses(row, which))
    ]
    if not known:
        return None
    caption = (
        "Mean training loss, on augmented images, in the first and the last epoch of dense networks"
        " and of picked tickets, whose first epoch is that after rewinding. Last tenth: by how much"
        " the mean loss of the last tenth of all epochs is above that of the tenth before; far"
        " below zero, longer training would have gone on learning. Losses of other kinds do not"
        " compare."
    )
    lines = (_line(row, which, found) for row, which, found in known)
    return Section("Training", (Table("training", caption, HEADER, tuple(lines)), _figure(subject)))


def losses(row: Row, which: Which) -> Curves:
    """Of the level of each run that has any."""
    levels = (meant(run, which) for run in row.runs)
    return [level.losses for level in levels if level and level.ended and level.losses]


def still(curve: Sequence[float]) -> float | None:
    """The mean of the last tenth over that of the tenth before, less 1; None of short curves."""
    part = len(curve) // PART
    before = mean(curve[-2 * part : -part]) if part else 0.0
    return mean(curve[-part:]) / before - 1 if before else None


def _line(row: Row, which: Which, found: Curves) -> tuple[Cell, ...]:
    return (
        row.label,
        str(which),
        Number.of((float(len(curve)) for curve in found), "count"),
        Number.of(curve[0] for curve in found),
        Number.of(curve[-1] for curve in found),
        Number.of(map(still, found), "points"),
    )


def _kinds(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Methods by what they minimise."""
    kinds: dict[str, list[Row]] = {}
    for row in rows:
        kinds.setdefault(row.first.params.get("loss.name", ""), []).append(row)
    return kinds


def _figure(subject: Subject) -> Figure:
    known = [row for row in subject.methods if any(losses(row, which) for which in BOTH)]
    rows, rest = figures.few(known)
    kinds = _kinds(rows)
    columns = min(3, len(kinds))
    deep = -(-len(kinds) // columns)

    def draw(canvas: Any) -> None:
        panels = canvas.subplots(deep, columns, squeeze=False).ravel()
        for axes, (kind, alike) in zip(panels, kinds.items(), strict=False):
            for row in alike:
                for which in BOTH:
                    _curve(axes, subject, row, which)
            axes.set(title=kind.replace("_", " "), xlabel="epoch", ylabel="training loss")
        for axes in panels[len(kinds) :]:
            axes.set_visible(False)
        figures.below(canvas)

    caption = f"Training loss by epoch: dense networks dotted, tickets drawn through.{rest}"
    wide, high = (6.0, 3.8) if len(kinds) == 1 else (3.0 * columns + 0.4, 2.7 * deep + 0.4)
    return Figure("training", caption, draw, (wide, high), spread=True)


def _curve(axes: Any, subject: Subject, row: Row, which: Which) -> None:
    found = [*_by_epoch(losses(row, which))]
    if not found:
        return
    pen, x = look(subject, row), range(1, len(found) + 1)
    means = [mean(values) for values in found]
    half = [reach(values, subject.spread) or 0.0 for values in found]
    dash = ":" if which == "dense" else pen.dash
    style: Any = {"color": pen.colour, "linestyle": dash, "linewidth": 1.2}
    marks: Any = {"marker": pen.marker, "markersize": 4, "markevery": max(1, len(found) // 8)}
    axes.plot(x, means, label=f"{row.label}, {which}", **style, **marks)
    low, high = ([m + s * h for m, h in zip(means, half, strict=True)] for s in (-1, 1))
    axes.fill_between(x, low, high, color=pen.colour, alpha=0.1, linewidth=0)


def _by_epoch(curves: Curves) -> Iterator[tuple[float, ...]]:
    """The losses of each epoch, over the runs that had so many."""
    for epoch in range(max(map(len, curves), default=0)):
        yield tuple(curve[epoch] for curve in curves if epoch < len(curve))
