"""The area between the axes of a chart: what of the data it shows, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lthtui.charts.axes import Axis, Floats, as_array, fit
from lthtui.charts.model import Chart, Span, View
from lthtui.charts.points import Points

PAD = 0.04  # room above and below the lines, as a share of their height


@dataclass(frozen=True)
class Plot:
    """Its place within the chart and its size, in cells.

    Attributes:
        x, y: the shown ranges.
        whole: all of x.
        left, top: cells beside and above it.
        margin: how many of those beside it the labels of y have to have.
        ticks: row and label of each tick of y, no row twice.
    """

    x: Axis
    y: Axis
    whole: Axis
    left: int
    top: int
    width: int
    height: int
    margin: int = 0
    ticks: Sequence[tuple[int, str]] = ()

    @classmethod
    def of(
        cls, chart: Chart, view: View, size: tuple[int, int], top: int = 0, bare: bool = False
    ) -> Plot:
        """Lay a plot out, with its labels to the left of it.

        Args:
            size: (width, height) of labels and plot together.
            bare: without labels.
        """
        width, height = size
        whole = _whole(chart, view)
        x = _window(whole, view)
        y = _height(chart, view, x)
        if bare:
            return cls(x, y, whole, 0, top, width, height)
        labels: dict[int, str] = {}
        for tick, label in y.ticks(max(3, height // 3)):
            labels.setdefault(_row(y, tick, height), label)
        margin = max((len(label) for label in labels.values()), default=1) + 1
        left = min(max(margin, view.margin), width // 3) + 1
        rows = list(labels.items())
        return cls(x, y, whole, left, top, width - left, height, margin, rows)

    def row(self, y: float) -> int:
        """The row that shows a value of y; -1 outside of the plot."""
        return _row(self.y, y, self.height)

    def column(self, x: float) -> int:
        """The column that shows a value of x; -1 outside of the plot."""
        dot = self.dot(x)
        return dot // 2 if 0 <= dot < 2 * self.width else -1

    def dot(self, x: float) -> int:
        """The dot column of a value of x; there are two in each cell. -1 for what has none."""
        share = self.x.share(x)
        return round(share * (2 * self.width - 1)) if abs(share) < 1e6 else -1

    def at(self, column: int, row: int) -> tuple[float, float]:
        """The x and y in the middle of a cell of the chart; beyond the plot those of its edge."""
        across = (2 * (column - self.left) + 0.5) / (2 * self.width - 1)
        up = 1 - (4 * (row - self.top) + 1.5) / max(4 * self.height - 1, 1)
        return (
            self.x.value(min(max(across, 0.0), 1.0)),
            self.y.value(min(max(up, 0.0), 1.0)),
        )

    def placed(self, points: Points) -> tuple[Floats, Floats]:
        """Those of the points that matter to this plot, as fractions of its axes."""
        shown = points.within(self.x.low, self.x.high)
        return self.x.place(shown.x), self.y.place(shown.y)


def _row(axis: Axis, y: float, height: int) -> int:
    share = axis.share(y)
    return round((1 - share) * (4 * height - 1)) // 4 if 0 <= share <= 1 else -1


def reach(chart: Chart) -> Span | None:
    """From where to where x goes in a chart; None where there is nothing."""
    ends = [np.empty(0)]
    for one in chart.series:
        ends += [_ends(one.points, chart), one.marked.x]
    found = np.concatenate(ends)
    found = found[np.isfinite(found)]
    return (float(found.min()), float(found.max())) if found.size else None


def _whole(chart: Chart, view: View) -> Axis:
    """All of x."""
    ends = [end for span in (reach(chart), view.reach) for end in span or ()]
    return fit(as_array(ends), chart.x_scale, chart.x_unit, falls=chart.x_falls)


def _ends(points: Points, chart: Chart) -> Floats:
    """The first and the last place of a series that the axis can show."""
    first = np.searchsorted(points.x, 0, side="right") if chart.x_scale == "log" else 0
    shown = points.x[first:]
    return shown[[0, -1]] if len(shown) else shown


def _window(whole: Axis, view: View) -> Axis:
    """The shown part of x; one that follows is moved to where the data end."""
    shown = whole.cut(view.x)
    if not view.follow or shown is whole:
        return shown
    end = shown.share(whole.low if whole.falls else whole.high)
    return shown.part(end - 1, end)


def _height(chart: Chart, view: View, x: Axis) -> Axis:
    """The shown part of y: as asked, or what is seen of the lines, bands, marks and baseline."""
    ys = [np.empty(0)]
    for one in chart.series:
        ys += [_seen(points, x) for points in (one.points, *(one.edges or ()))]
        marked = (one.marked.x >= x.low) & (one.marked.x <= x.high)
        ys.append(one.marked.y[marked])
    if chart.baseline is not None:
        ys.append(as_array([chart.baseline]))
    y = fit(np.concatenate(ys), chart.y_scale, chart.y_unit, pad=PAD)
    return y.cut(view.y)


def _seen(points: Points, x: Axis) -> Floats:
    """The heights of a line between the ends of x."""
    near = points.within(x.low, x.high)
    inside = near.y[(near.x >= x.low) & (near.x <= x.high)]
    ends = [end for end in (x.low, x.high) if len(near.x) and near.x[0] < end < near.x[-1]]
    return np.concatenate([inside, np.interp(ends, near.x, near.y)]) if ends else inside
