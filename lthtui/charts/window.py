"""Moving about in a chart: each function gives the next view, or the one it had."""

from __future__ import annotations

from dataclasses import replace

from lthtui.charts.axes import Axis
from lthtui.charts.model import Chart, Span, View
from lthtui.charts.plot import Plot
from lthtui.charts.readout import step

NEWEST = 0.25  # share of x that is shown when following starts from the whole


def zoom(view: View, plot: Plot, factor: float, about: float | None = None) -> View:
    """Enlarge x; `about` is the x that stays where it is.

    Without one it is the newest point while following, else the cross-hair or the middle.
    """
    if about is not None:
        at = plot.x.share(about)
    elif view.follow:
        at = 1.0
    else:
        at = 0.5 if view.cursor is None else plot.x.share(view.cursor)
    at = at if 0 <= at <= 1 else 0.5
    x = _within(plot.whole, plot.x.zoomed(factor, at))
    return replace(view, x=x, follow=view.follow and x is not None and at == 1)


def zoom_y(view: View, plot: Plot, factor: float, about: float | None = None) -> View:
    """Enlarge y; `about` is the y that stays where it is, or else the middle."""
    at = 0.5 if about is None else plot.y.share(about)
    return replace(view, y=_span(plot.y.zoomed(factor, at)))


def pan(view: View, plot: Plot, by: float, up: float = 0.0) -> View:
    """Move by shares of what is shown, to the right and up; x no further than the data go."""
    y = _span(plot.y.part(up, 1 + up)) if up else view.y
    if not by or view.x is None:
        return replace(view, y=y)
    start, end = sorted((plot.whole.share(plot.x.low), plot.whole.share(plot.x.high)))
    by = min(max(by, -start / (end - start)), (1 - end) / (end - start))
    x = _span(plot.x.part(by, 1 + by))
    return replace(view, x=x, y=y, follow=False)


def box(view: View, corner: tuple[float, float], other: tuple[float, float]) -> View:
    """Show what lies between two points; the same view if nothing does."""
    (left, right), (low, high) = (sorted(pair) for pair in zip(corner, other, strict=True))
    if not (left < right and low < high):
        return view
    return replace(view, x=(left, right), y=(low, high), follow=False)


def follow(view: View, plot: Plot) -> View:
    """Begin to follow the newest data, or stop."""
    if view.follow:
        return replace(view, follow=False)
    shown = plot.whole.part(1 - NEWEST, 1) if view.x is None else plot.x
    return replace(view, x=_span(shown), follow=True)


def whole(view: View) -> View:
    """Show everything again."""
    return replace(view, x=None, y=None, follow=False)


def move(view: View, chart: Chart, plot: Plot, by: int) -> View:
    """Move the cross-hair by points; what is shown moves along."""
    cursor = step(chart, view, plot, by)
    if cursor is None:
        return view
    view = replace(view, cursor=cursor, pointer=None)
    at = plot.x.share(cursor)
    if 0 <= at <= 1:
        return view
    return pan(view, plot, at - 0.9 if at > 1 else at - 0.1)


def focus(view: View, chart: Chart, by: int) -> View:
    """Give the focus to the next series or the one before, or to all of them after the last."""
    labels = ["", *dict.fromkeys(one.label for one in chart.series if one.label and not one.faint)]
    at = labels.index(view.focus) if view.focus in labels else 0
    return replace(view, focus=labels[(at + by) % len(labels)])


def refer(view: View) -> View:
    """Tell differences to the series in focus; to the chart's baseline if it is that already."""
    return replace(view, reference="" if view.reference == view.focus else view.focus)


def _within(whole: Axis, shown: Axis) -> Span | None:
    """The range as far as there are data; None if that is everything."""
    start, end = sorted((whole.share(shown.low), whole.share(shown.high)))
    if start <= 0 and end >= 1:
        return None
    return _span(whole.part(max(start, 0.0), min(end, 1.0)))


def _span(axis: Axis) -> Span:
    return axis.low, axis.high
