"""The layers of a plot, from the back to the front: bands, lines, marks, cross-hair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lthtui.charts import raster
from lthtui.charts.axes import Floats, shown
from lthtui.charts.canvas import Canvas, packed
from lthtui.charts.lost import lost
from lthtui.charts.model import POINTS, Chart, Look, Span, View
from lthtui.charts.pens import Pen
from lthtui.charts.plot import Plot
from lthtui.charts.points import Points

BAND, DIM_BAND = 0.22, 0.09  # share of a series' colour in its band, and if out of focus
CROSS = 0.14  # share of the text's colour in the paper under the cross-hair
SPARSE = 4  # cells from point to point of a guide that lines of points are drawn over
DASHES = (1, 1, 1, 1), (1, 1, 1, 0), (1, 0, 1, 0)  # over cells; see `model.SWATCHES`


def paint(chart: Chart, drawn: Sequence[Pen], plot: Plot, view: View, look: Look) -> Canvas:
    """Draw everything between the axes."""
    canvas = Canvas(plot.width, plot.height)
    for pen in drawn:
        _band(canvas, pen, plot, look)
    cross = -1 if view.cursor is None else plot.column(view.cursor)
    if cross >= 0:
        canvas.tint(_column(cross, canvas), look.text, look.paper, CROSS)
    if chart.baseline is not None:
        dots = raster.level(plot.y.share(chart.baseline), plot.width, plot.height)
        canvas.line(dots, packed(look.label))
    for pen in drawn:
        _line(canvas, pen, plot)
    if not look.colour:
        _points(canvas, drawn, plot)
    for pen in drawn:
        _marks(canvas, pen, plot)
    if not look.colour:
        canvas.behind(canvas.shaded & ~_column(cross, canvas)[::2], "░", packed(look.label))
    if cross >= 0:
        _cross(canvas, drawn, plot, view, look)
    if view.box:
        _box(canvas, *view.box, plot, look)
    if not any(len(pen.series.points.x) for pen in drawn):
        _say_empty(canvas, chart, look)
    elif chart.guides:
        guides = np.zeros((plot.height, plot.width), bool)
        every = 1 if look.braille else SPARSE
        guides[[row for row, _ in plot.ticks], ::every] = True
        canvas.behind(guides & ~canvas.shaded, "┈", packed(look.line))
    return canvas


def _line(canvas: Canvas, pen: Pen, plot: Plot) -> None:
    dots = raster.polyline(*plot.placed(pen.series.points), plot.width, plot.height)
    if pen.dash:
        pattern = np.array(DASHES[pen.dash], bool)
        dots *= pattern[(np.arange(plot.width) + pen.index) % len(pattern)]  # no fences of gaps
    if pen.series.tally:
        fewer = _least(pen.series.tally, plot) < pen.series.count
        dots[:, fewer & (np.arange(plot.width) % 2 == 1)] = 0
    canvas.line(dots, packed(pen.colour), pen.index, pen.rank)


def _band(canvas: Canvas, pen: Pen, plot: Plot, look: Look) -> None:
    """Tint the half cells between the band's limits, as far as it goes and where it has both."""
    if pen.series.edges is None:
        return
    halves = 2 * plot.height
    lower, upper = (_across(points, plot) for points in pen.series.edges)
    bottom = np.ceil((1 - lower[0]) * halves) - 1
    top = np.floor((1 - upper[1]) * halves)
    half = np.arange(halves)[:, None]
    share = BAND if pen.bright else DIM_BAND
    canvas.tint(
        (half >= top) & (half <= bottom), look.legible(pen.series.colour), look.paper, share
    )


def _across(points: Points, plot: Plot) -> tuple[Floats, Floats]:
    """The least and the greatest height of a limit in each column of cells.

    A limit that a log axis can't show, as it is at or below zero, is below the plot.
    """
    shown = points.within(plot.x.low, plot.x.high)
    x, y = plot.x.place(shown.x), plot.y.place(shown.y)
    if plot.y.scale == "log":
        y = np.where(shown.y <= 0, -1.0, y)
    return raster.hull(_cells(x, plot), y, plot.width)


def _least(tally: Points, plot: Plot) -> Floats:
    """The least number of runs in each column of cells; NaN where the line isn't."""
    shown = tally.within(plot.x.low, plot.x.high)
    return raster.hull(_cells(plot.x.place(shown.x), plot), shown.y, plot.width)[0]


def _cells(x: Floats, plot: Plot) -> Floats:
    """Fractions of the plot's width in columns of cells, whose centres are the whole numbers."""
    return (x * (2 * plot.width - 1) - 0.5) / 2


def _points(canvas: Canvas, drawn: Sequence[Pen], plot: Plot) -> None:
    """Put a few of each line's own point marks on it, so that lines differ without colour."""
    shown = [pen for pen in drawn if not pen.series.faint]
    if len(shown) < 2:
        return
    for pen in shown:
        points = pen.series.points
        inside = np.flatnonzero((points.x >= plot.x.low) & (points.x <= plot.x.high))
        some = np.linspace(0, len(inside) - 1, min(len(inside), 6)).astype(int)
        for at in dict.fromkeys(inside[some].tolist()):
            glyph = POINTS[pen.index % len(POINTS)]
            row, column = plot.row(points.y[at]), plot.column(points.x[at])
            canvas.put(row, column, glyph, packed(pen.colour))


def _marks(canvas: Canvas, pen: Pen, plot: Plot) -> None:
    """The series' marks, and at the plot's edges those of values that have no place in it."""
    ink = packed(pen.colour, bold=True)
    points = pen.series.points.within(plot.x.low, plot.x.high)
    for one in lost(points, plot.y.scale):
        row = 0 if one.top else plot.height - 1
        for column in {plot.column(value) for value in one.x.tolist()}:
            canvas.put(row, column, one.glyph, ink)
    placed = shown(pen.series.points.y, plot.y.scale)
    if np.count_nonzero(placed) == 1:
        only = Points(pen.series.points.x[placed], pen.series.points.y[placed])
        canvas.put(plot.row(float(only.y[0])), plot.column(float(only.x[0])), POINTS[0], ink)
    for x, y, glyph in pen.series.marks:
        canvas.put(plot.row(y), plot.column(x), glyph, ink)


def _cross(canvas: Canvas, drawn: Sequence[Pen], plot: Plot, view: View, look: Look) -> None:
    """A line at the cross-hair, and on it the points that its readout tells of."""
    assert view.cursor is not None
    for pen in drawn:
        points = pen.series.points
        at = None if pen.series.faint else points.nearest(view.cursor)
        if at is not None:
            row, column = plot.row(points.y[at]), plot.column(points.x[at])
            glyph = POINTS[0 if look.colour else pen.index % len(POINTS)]
            canvas.put(row, column, glyph, packed(pen.colour, bold=True))
    column = plot.column(view.cursor)
    canvas.behind(_column(column, canvas)[::2], "│", packed(look.label))


def _box(canvas: Canvas, corner: Span, other: Span, plot: Plot, look: Look) -> None:
    """A frame between two corners."""
    left, right = sorted((plot.column(corner[0]), plot.column(other[0])))
    top, bottom = sorted((plot.row(corner[1]), plot.row(other[1])))
    ink = packed(look.text)
    for column in range(left, right + 1):
        for row in (top, bottom):
            canvas.put(row, column, "─", ink)
    for row in range(top, bottom + 1):
        for column in (left, right):
            canvas.put(row, column, "│", ink)
    for row, column, glyph in ((top, left, "┌"), (top, right, "┐"), (bottom, left, "└")):
        canvas.put(row, column, glyph, ink)
    canvas.put(bottom, right, "┘", ink)


def _column(column: int, canvas: Canvas) -> raster.Bitmap:
    """The half cells of one column; none of them if it is -1."""
    height, width = canvas.dots.shape
    halves = np.zeros((2 * height, width), bool)
    if column >= 0:
        halves[:, column] = True
    return halves


def _say_empty(canvas: Canvas, chart: Chart, look: Look) -> None:
    height, width = canvas.glyph.shape
    text = look.say(chart.empty)[:width]
    for offset, character in enumerate(text):
        column = (width - len(text)) // 2 + offset
        canvas.put((height - 1) // 2, column, character, packed(look.label))
