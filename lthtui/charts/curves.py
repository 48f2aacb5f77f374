"""The chart of the field: accuracy against density, mean and spread over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lthtui.charts.axes import Floats
from lthtui.charts.model import Chart, Series
from lthtui.colours import colours

WINNING, PICKED = "◆", "◇"
Point = tuple[float, float]  # density, accuracy


@dataclass(frozen=True)
class Curve:
    """The runs of one group.

    Attributes:
        label: shown in the legend, with the number of seeds if there are several.
        seeds: per seed, (density, accuracy) of each level, as fractions of 1.
        winning: (density, accuracy) of each seed's winning ticket.
        picked: (density, accuracy) of tickets that were picked and do not win.
        colour: `#rrggbb`; empty for the label's own.
    """

    label: str
    seeds: Sequence[Sequence[Point]]
    winning: Sequence[Point] = ()
    picked: Sequence[Point] = ()
    colour: str = ""


def accuracy_chart(
    curves: Sequence[Curve],
    title: str = "",
    y_label: str = "validation accuracy",
    dense: float | None = None,
) -> Chart:
    """Accuracy against kept weights, from dense to sparse.

    Args:
        dense: accuracy of what they are measured against; None where there is nothing.
    """
    given = colours(curve.label for curve in curves)
    return Chart(
        title=title,
        series=[_series(curve, curve.colour or given[curve.label]) for curve in curves],
        x_label="weights kept",
        y_label=y_label,
        x_scale="log",
        x_unit="percent",
        y_unit="percent",
        x_falls=True,
        baseline=dense,
        marks_label="winning ticket",
        empty="no level has ended yet",
    )


def spread(rows: Sequence[Sequence[float]]) -> tuple[Floats, Floats]:
    """Mean and sample standard deviation over rows of unequal length, column by column.

    Returns:
        (n,) means over the rows that reach a column, and (n,) deviations, 0 for a single row.
    """
    table = np.full((len(rows), max(map(len, rows), default=0)), np.nan)
    for index, row in enumerate(rows):
        table[index, : len(row)] = row
    count = np.isfinite(table).sum(0)
    mean = np.divide(np.nansum(table, 0), count, out=np.full(count.shape, np.nan), where=count > 0)
    squares = np.nansum((table - mean) ** 2, 0)
    return mean, np.sqrt(np.divide(squares, count - 1, out=np.zeros(count.shape), where=count > 1))


def _series(curve: Curve, colour: str) -> Series:
    seeds = [seed for seed in curve.seeds if seed]
    density, _ = spread([[point[0] for point in seed] for seed in seeds])
    mean, deviation = spread([[point[1] for point in seed] for seed in seeds])
    several = len(seeds) > 1
    return Series(
        label=f"{curve.label} (n={len(seeds)})" if several else curve.label,
        x=density,
        y=mean,
        colour=colour,
        low=mean - deviation if several else None,
        high=mean + deviation if several else None,
        marks=[
            *((*point, WINNING) for point in curve.winning),
            *((*point, PICKED) for point in curve.picked),
        ],
    )
