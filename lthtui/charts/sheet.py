"""The numbers behind a chart as CSV, for those who draw it again elsewhere."""

from __future__ import annotations

import csv
import io

import numpy as np

from lthtui.charts.model import Chart, Series

HEADER = ("line", "behind", "x", "y", "low", "high", "n")


def text(chart: Chart) -> str:
    """One row for each point of each line, marks and baseline left out.

    `behind` tells lines that are drawn faintly. Densities and accuracies are fractions of 1, times
    seconds; NaN and infinities are as Python writes them. Limits are empty where there is no band.
    """
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    names = {"x": chart.x_label or "x", "y": chart.y_label or "y"}
    writer.writerow([names.get(name, name) for name in HEADER])
    for series in chart.series:
        writer.writerows(_rows(series))
    return target.getvalue()


def _rows(series: Series) -> list[tuple[object, ...]]:
    x, y = series.points.x.tolist(), series.points.y.tolist()
    blank = [""] * len(x)
    edges = series.edges
    low, high = [[*map(_limit, edge.y.tolist())] for edge in edges] if edges else (blank, blank)
    counts = [int(n) for n in series.tally.y] if series.tally else [series.count] * len(x)
    head = [(series.label, "yes" if series.faint else "")] * len(x)
    return [(*one, *rest) for one, *rest in zip(head, x, y, low, high, counts, strict=True)]


def _limit(value: float) -> object:
    return value if np.isfinite(value) else ""
