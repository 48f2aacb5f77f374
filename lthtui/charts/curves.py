"""The chart of the field: accuracy against density, mean and spread over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lthtui.charts.model import Chart
from lthtui.charts.panel import Line, Mark, Panel, Trace, XName
from lthtui.colours import colours

WINNING, PICKED = "◆", "◇"


class Point(NamedTuple):
    """One level: density and accuracy as fractions of 1."""

    density: float
    accuracy: float
    level: int


@dataclass(frozen=True)
class Curve:
    """The runs of one group.

    Attributes:
        label: shown in the legend, with the number of seeds if there are several.
        seeds: per seed, its levels.
        winning: each seed's winning ticket.
        picked: tickets that were picked and do not win.
        colour: `#rrggbb`; empty for the label's own.
    """

    label: str
    seeds: Sequence[Sequence[Point]]
    winning: Sequence[Point] = ()
    picked: Sequence[Point] = ()
    colour: str = ""


def accuracy_panel(
    curves: Sequence[Curve],
    y_label: str = "validation accuracy",
    dense: float | None = None,
    marks_label: str = "winning ticket",
) -> Panel:
    """Accuracy against kept weights, from dense to sparse, or against levels.

    Args:
        dense: accuracy of what they are measured against; None where there is nothing.
    """
    given = colours(curve.label for curve in curves)
    return Panel(
        lines=[_line(curve, curve.colour or given[curve.label]) for curve in curves],
        xs=("density", "level"),
        y_label=y_label,
        y_unit="percent",
        baseline=dense,
        marks_label=marks_label,
        empty="no level has ended yet",
    )


def accuracy_chart(
    curves: Sequence[Curve],
    y_label: str = "validation accuracy",
    dense: float | None = None,
) -> Chart:
    """Accuracy against kept weights, with standard deviations; see `accuracy_panel`."""
    return accuracy_panel(curves, y_label, dense).chart()


def _line(curve: Curve, colour: str) -> Line:
    picks = [*((point, WINNING) for point in curve.winning)]
    picks += [(point, PICKED) for point in curve.picked]
    marks = [Mark(_place(point), point.accuracy, glyph) for point, glyph in picks]
    return Line(curve.label, [_trace(seed) for seed in curve.seeds], colour, marks=marks)


def _trace(seed: Sequence[Point]) -> Trace:
    places = [_place(point) for point in seed]
    names: tuple[XName, ...] = ("density", "level")
    at = {name: [place[name] for place in places] for name in names}
    return Trace([point.accuracy for point in seed], at)


def _place(point: Point) -> dict[XName, float]:
    return {"density": point.density, "level": point.level}
