"""What a cross-hair reads off a chart, and where it goes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lthtui.charts.axes import Floats
from lthtui.charts.model import Chart, Series, View
from lthtui.charts.plot import Plot
from lthtui.charts.ticks import Unit, exact


@dataclass(frozen=True)
class Reading:
    """A series at the cross-hair.

    Attributes:
        x, y: its own point that is nearest; nothing is interpolated.
        low, high: limits of its band there, or None.
        gain: `y` less what differences are told to, or None.
        count: how many runs are behind it where those are fewer than elsewhere, or None.
    """

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    gain: float | None = None
    count: int | None = None

    def text(self, chart: Chart, cursor: float) -> str:
        """The value, spread, number of runs, gain, and its own x if not the cross-hair's."""
        parts = [exact(self.y, chart.y_unit)]
        if self.low is not None and self.high is not None and self.high > self.low:
            above, below = self.high - self.y, self.y - self.low
            if np.isclose(above, below):
                parts[0] += f"±{_spread(above, chart.y_unit)}"
            else:
                parts.append(f"{exact(self.low, chart.y_unit)}–{exact(self.high, chart.y_unit)}")
        if self.count is not None:
            parts.append(f"n={self.count}")
        if self.gain is not None:
            parts.append(_signed(self.gain, chart.y_unit))
        if self.x != cursor:
            parts.append(f"@{exact(self.x, chart.x_unit)}")
        return " ".join(parts)


def readings(chart: Chart, view: View) -> Mapping[str, Reading]:
    """By label, each series that reaches the cross-hair; empty without one."""
    if view.cursor is None:
        return {}
    named = [one for one in chart.series if one.label and not one.faint]
    found = {one.label: _read(one, view.cursor) for one in named}
    known = {label: reading for label, reading in found.items() if reading}
    base = known.get(view.reference)
    against = base.y if base else chart.baseline
    if against is None:
        return known
    return {label: replace(one, gain=one.y - against) for label, one in known.items()}


def against(chart: Chart, view: View) -> str:
    """What a cross-hair tells differences to; empty if to nothing."""
    named = {one.label for one in chart.series if one.label and not one.faint}
    if view.reference in named and view.reference:
        return view.reference
    return chart.baseline_label if chart.baseline is not None else ""


def step(chart: Chart, view: View, plot: Plot, by: int) -> float | None:
    """The x that is `by` points to the right of the cross-hair; None where there are no points.

    Points of one dot column count as one, so the cross-hair always moves. It starts at the newest
    point in view.
    """
    columns = _stops(chart, view, plot)
    if not columns.size:
        return None
    shares = plot.x.place(columns)
    order = np.argsort(shares, kind="stable")
    shares, columns = shares[order], columns[order]
    dots = np.rint(shares * (2 * plot.width - 1))
    if view.cursor is None:
        seen = np.flatnonzero(shares <= 1 + 1e-9)
        return float(columns[seen[-1] if seen.size else 0])
    here = plot.dot(view.cursor)
    first = np.flatnonzero(np.diff(dots, prepend=-np.inf) > 0)  # of each dot column
    if by > 0:
        after = first[dots[first] > here]
        at = after[min(by, after.size) - 1] if after.size else len(columns) - 1
    else:
        before = first[dots[first] < here]
        at = before[max(by, -before.size)] if before.size else 0
    return float(columns[at])


def snap(chart: Chart, view: View, plot: Plot, x: float) -> float:
    """The x of the point that is nearest on screen; itself where there are no points."""
    stops = _stops(chart, view, plot)
    shares = plot.x.place(stops)
    if not np.isfinite(shares).any():
        return x
    return float(stops[np.nanargmin(np.abs(shares - plot.x.share(x)))])


def _stops(chart: Chart, view: View, plot: Plot) -> Floats:
    """Where a cross-hair can stand: at points of the series in focus, or of all."""
    named = [one for one in chart.series if not one.faint] or list(chart.series)
    chosen = [one for one in named if one.label == view.focus and view.focus] or named
    found = [one.points.within(plot.whole.low, plot.whole.high).x for one in chosen]
    return np.unique(np.concatenate(found)) if found else np.empty(0)


def _read(series: Series, cursor: float) -> Reading | None:
    at = series.points.nearest(cursor)
    if at is None:
        return None
    x, y = float(series.points.x[at]), float(series.points.y[at])
    count = int(series.tally.y[at]) if series.tally else series.count
    fewer = count if count < series.count else None
    if series.edges is None:
        return Reading(x, y, count=fewer)
    low, high = (float(edge.y[at]) for edge in series.edges)
    return Reading(x, y, low, high, count=fewer)


def _spread(reach: float, unit: Unit) -> str:
    """How far a band reaches; two digits say all that few runs can tell of it."""
    return f"{reach:.2g}" if unit == "number" else exact(reach, unit).removesuffix("%")


def _signed(gain: float, unit: Unit) -> str:
    if unit == "percent":
        return f"{100 * gain:+.2f}"
    return f"{gain:+.4g}"
