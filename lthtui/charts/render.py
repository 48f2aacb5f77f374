"""Draw a chart into rows of styled text, exactly as wide and high as asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text

from lthtui.charts import raster
from lthtui.charts.axes import Axis, as_array, fit
from lthtui.charts.canvas import FAINT_LINE, Canvas, Row, mix, packed
from lthtui.charts.legend import fitted, header
from lthtui.charts.model import LETTERS, POINTS, Chart, Look, Series

SMALLEST = (12, 4)  # below this there is no room for axes
NAMED = 14  # rows from which on the name of x has a row of its own
BAND, FAINT = 0.22, 0.4  # share of a series' colour in its band, and in itself when faint


def render(chart: Chart, width: int, height: int, look: Look | None = None) -> list[Row]:
    """Draw a chart.

    Returns:
        `height` rows; the texts of each take `width` cells together.
    """
    look = look or Look()
    if width < SMALLEST[0] or height < SMALLEST[1]:
        lines = [look.say(chart.title or chart.y_label), *[""] * height][: max(height, 0)]
        return [[(set_cell_size(line, max(width, 0)), Style())] for line in lines]
    series = sorted(chart.series, key=lambda one: not one.faint)
    above = header(chart, series, width, max(1, height // 5), look)
    named = bool(chart.x_label) and height >= NAMED
    plot = _Plot.of(chart, series, width, height - len(above) - 1 - named)
    canvas = Canvas(plot.width, plot.height)
    _draw(canvas, chart, series, plot, look)
    rows = [*above, *_beside_axis(canvas, plot, look), _x_labels(plot, look)]
    return [*rows, _x_name(chart, plot, look)] if named else rows


def to_text(rows: Iterable[Row]) -> str:
    """The rows as plain text; draw them with PLAIN or ASCII, or bands come out as blocks."""
    return "\n".join("".join(text for text, _ in row).rstrip() for row in rows)


def to_rich(rows: Iterable[Row]) -> Text:
    """The rows as a Rich text that is cropped rather than wrapped."""
    lines = [Text.assemble(*row) for row in rows]
    return Text("\n", no_wrap=True, overflow="crop").join(lines)


@dataclass(frozen=True)
class _Plot:
    """The area between the axes: its size in cells, and the width left of it for labels."""

    x: Axis
    y: Axis
    width: int
    height: int
    margin: int
    ticks: list[tuple[int, str]]  # row and label, no row twice

    @classmethod
    def of(cls, chart: Chart, series: Sequence[Series], width: int, height: int) -> _Plot:
        x, y = _axes(chart, series)
        labels: dict[int, str] = {}
        for tick, label in y.ticks(max(2, height // 2)):
            labels.setdefault(_row(y, tick, height), label)
        margin = min(max((len(label) for label in labels.values()), default=1) + 1, width // 3)
        return cls(x, y, width - margin - 1, height, margin, list(labels.items()))

    def row(self, y: float) -> int:
        """The row that shows a value of y; -1 outside of the plot."""
        return _row(self.y, y, self.height)

    def column(self, x: float) -> int:
        """The column that shows a value of x; -1 outside of the plot."""
        share = _share(self.x, x)
        return round(share * (2 * self.width - 1)) // 2 if 0 <= share <= 1 else -1


def _row(axis: Axis, y: float, height: int) -> int:
    share = _share(axis, y)
    return round((1 - share) * (4 * height - 1)) // 4 if 0 <= share <= 1 else -1


def _share(axis: Axis, value: float) -> float:
    """Where on the axis a value is, without the rounding that would put an end outside."""
    return round(float(axis.place(np.array([value]))[0]), 9)


def _axes(chart: Chart, series: Sequence[Series]) -> tuple[Axis, Axis]:
    xs, ys = [np.empty(0)], [np.empty(0)]
    for one in series:
        xs += [as_array(one.x), as_array([mark[0] for mark in one.marks])]
        ys += [as_array(values) for values in (one.y, one.low, one.high) if values is not None]
        ys += [as_array([mark[1] for mark in one.marks])]
    if chart.baseline is not None:
        ys.append(as_array([chart.baseline]))
    x = fit(np.concatenate(xs), chart.x_scale, chart.x_unit, falls=chart.x_falls)
    return x, fit(np.concatenate(ys), chart.y_scale, chart.y_unit, pad=0.04)


def _draw(canvas: Canvas, chart: Chart, series: Sequence[Series], plot: _Plot, look: Look) -> None:
    """Bands, baseline, lines and marks in front of each other; guides where nothing is."""
    for one in series:
        _band(canvas, one, plot, look)
    if chart.baseline is not None:
        share = _share(plot.y, chart.baseline)
        canvas.line(raster.level(share, plot.width, plot.height), packed(look.label))
    behind = sum(one.faint for one in series)
    for index, one in enumerate(series):
        colour = mix(one.colour, look.paper, FAINT) if one.faint else one.colour
        x, y = plot.x.place(as_array(one.x)), plot.y.place(as_array(one.y))
        dots = raster.polyline(x, y, plot.width, plot.height)
        canvas.line(dots, packed(colour), FAINT_LINE if one.faint else index - behind)
    if not look.colour:
        _points(canvas, series, plot)
    for one in series:
        _marks(canvas, one, plot)
    if not look.colour:
        canvas.behind(canvas.shaded, "░", packed(look.label))
    if not any(as_array(one.x).size for one in series):
        _say_empty(canvas, chart, look)
    elif chart.guides:
        rows = np.zeros((plot.height, 1), bool)
        rows[[row for row, _ in plot.ticks]] = True
        canvas.behind(rows & ~canvas.shaded, "┈", packed(look.line))


def _band(canvas: Canvas, series: Series, plot: _Plot, look: Look) -> None:
    """Tint the half cells between the band's limits, from its first to its last point."""
    if series.low is None or series.high is None:
        return
    x = plot.x.place(as_array(series.x))
    low, high = plot.y.place(as_array(series.low)), plot.y.place(as_array(series.high))
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(low) & np.isfinite(high))
    if not known.size:
        return
    known = known[np.argsort(x[known], kind="stable")]
    cell, ends = np.arange(plot.width), np.rint(x[known[[0, -1]]] * (plot.width - 1))
    at = cell / (plot.width - 1)
    halves = 2 * plot.height
    top = np.floor((1 - np.interp(at, x[known], high[known])) * halves)
    bottom = np.ceil((1 - np.interp(at, x[known], low[known])) * halves) - 1
    half = np.arange(halves)[:, None]
    within = (cell >= ends[0]) & (cell <= ends[1])
    canvas.tint(within & (half >= top) & (half <= bottom), series.colour, look.paper, BAND)


def _points(canvas: Canvas, series: Sequence[Series], plot: _Plot) -> None:
    """Put a few of each line's own point marks on it, so that lines differ without colour."""
    shown = [one for one in series if not one.faint]
    if len(shown) < 2:
        return
    for index, one in enumerate(shown):
        x, y = as_array(one.x), as_array(one.y)
        for at in sorted({int(at) for at in np.linspace(0, x.size - 1, min(x.size, 6))}):
            glyph = POINTS[index % len(POINTS)]
            canvas.put(plot.row(y[at]), plot.column(x[at]), glyph, packed(one.colour))


def _marks(canvas: Canvas, series: Series, plot: _Plot) -> None:
    """The series' marks, and where a value was no number, the edge that it left the plot by."""
    ink = packed(series.colour, bold=True)
    x, y = as_array(series.x), as_array(series.y)
    sunk = y == -np.inf
    if plot.y.scale == "log":
        sunk |= y <= 0
    bottom = plot.height - 1
    for where, glyph, row in (
        (np.isnan(y), "✗", bottom),
        (y == np.inf, "▲", 0),
        (sunk, "▼", bottom),
    ):
        for column in {plot.column(value) for value in x[where]}:
            canvas.put(row, column, glyph, ink)
    if np.isfinite(y).sum() == 1:
        at = int(np.flatnonzero(np.isfinite(y))[0])
        canvas.put(plot.row(y[at]), plot.column(x[at]), POINTS[0], ink)
    for x_mark, y_mark, glyph in series.marks:
        canvas.put(plot.row(y_mark), plot.column(x_mark), glyph, ink)


def _say_empty(canvas: Canvas, chart: Chart, look: Look) -> None:
    height, width = canvas.glyph.shape
    text = look.say(chart.empty)[:width]
    for offset, character in enumerate(text):
        column = (width - len(text)) // 2 + offset
        canvas.put((height - 1) // 2, column, character, packed(look.label))


def _beside_axis(canvas: Canvas, plot: _Plot, look: Look) -> list[Row]:
    if not look.braille:
        canvas.spell(LETTERS)
    body: list[Row] = (
        canvas.rows()
        if look.colour
        else [[(look.say(line), Style())] for line in canvas.characters()]
    )
    labels = dict(plot.ticks)
    rows = []
    for index, row in enumerate(body):
        label = labels.get(index, "")[: plot.margin]
        name = (f"{label:>{plot.margin}}", look.style(look.label))
        rows.append([name, (look.say("┤" if label else "│"), look.style(look.line)), *row])
    return rows


def _x_labels(plot: _Plot, look: Look) -> Row:
    """As many labels as fit beside each other, each under its place."""
    line, free = [" "] * plot.width, 0
    ticks = plot.x.ticks(max(2, plot.width // 10))
    for tick, label in reversed(ticks) if plot.x.falls else ticks:
        column = plot.column(tick)
        start = min(max(column - len(label) // 2, 0), plot.width - len(label))
        if column >= 0 and start >= free:
            line[start : start + len(label)] = label
            free = start + len(label) + 2
    corner = (look.say(" " * plot.margin + "└"), look.style(look.line))
    return [corner, ("".join(line), look.style(look.label))]


def _x_name(chart: Chart, plot: _Plot, look: Look) -> Row:
    name = look.say(chart.x_label)
    space = max(plot.width - cell_len(name), 0) // 2
    text = " " * (plot.margin + 1 + space) + name
    return fitted([(text, look.style(look.label))], plot.margin + 1 + plot.width)
