"""Draw a chart into rows of styled text, exactly as wide and high as asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text

from lthtui.charts.canvas import Canvas, Row
from lthtui.charts.layers import paint
from lthtui.charts.legend import fitted, header
from lthtui.charts.model import LETTERS, Chart, Look, View
from lthtui.charts.pens import pens
from lthtui.charts.plot import Plot

SMALLEST = (12, 4)  # below this there is no room for axes
NAMED = 14  # rows from which on the name of x has a row of its own


@dataclass(frozen=True)
class Drawing:
    """A drawn chart and where in it the plot is; the plot is None where there was no room."""

    rows: list[Row]
    plot: Plot | None = None


def draw(chart: Chart, width: int, height: int, look: Look, view: View) -> Drawing:
    """Draw a part of a chart.

    Returns:
        `height` rows; the texts of each take `width` cells together.
    """
    drawn = pens(chart, view, look)
    chart = replace(chart, series=[pen.series for pen in drawn])
    if width < 1 or height < 1:
        return Drawing([[] for _ in range(height)])
    if width < SMALLEST[0] or height < SMALLEST[1]:
        if not any(len(pen.series.points.x) for pen in drawn):
            lines = [look.say(chart.title or chart.y_label), *[""] * height][:height]
            return Drawing([[(set_cell_size(line, width), Style())] for line in lines])
        plot = Plot.of(chart, view, (width, height), bare=True)
        return Drawing(_body(paint(chart, drawn, plot, view, look), look), plot)
    above = header(chart, drawn, view, width, max(1, (height + 1) // 5), look)
    named = bool(chart.x_label) and height >= NAMED
    plot = Plot.of(chart, view, (width, height - len(above) - 1 - named), len(above))
    body = _body(paint(chart, drawn, plot, view, look), look)
    rows = [*above, *_beside_axis(body, plot, look), _x_labels(plot, look)]
    return Drawing([*rows, _x_name(chart, plot, look)] if named else rows, plot)


def render(chart: Chart, width: int, height: int, look: Look | None = None) -> list[Row]:
    """Draw all of a chart; see `draw`."""
    return draw(chart, width, height, look or Look(), View()).rows


def to_text(rows: Iterable[Row]) -> str:
    """The rows as plain text; draw them with PLAIN or ASCII, or bands come out as blocks."""
    return "\n".join("".join(text for text, _ in row).rstrip() for row in rows)


def to_rich(rows: Iterable[Row]) -> Text:
    """The rows as a Rich text that is cropped rather than wrapped."""
    lines = [Text.assemble(*row) for row in rows]
    return Text("\n", no_wrap=True, overflow="crop").join(lines)


def _body(canvas: Canvas, look: Look) -> list[Row]:
    if not look.braille:
        canvas.spell(LETTERS)
    if not look.colour:
        return [[(look.spell(line), Style())] for line in canvas.characters()]
    rows = canvas.rows(halves=look.braille)
    return [[(look.spell(text), style) for text, style in row] for row in rows]


def _beside_axis(body: list[Row], plot: Plot, look: Look) -> list[Row]:
    labels, margin = dict(plot.ticks), plot.left - 1
    rows = []
    for index, row in enumerate(body):
        label = labels.get(index, "")[:margin]
        name = (f"{label:>{margin}}", look.style(look.label))
        rows.append([name, (look.say("┤" if label else "│"), look.style(look.line)), *row])
    return rows


def _x_labels(plot: Plot, look: Look) -> Row:
    """As many labels as fit beside each other, each under its place."""
    line, free = [" "] * plot.width, 0
    ticks = plot.x.ticks(max(2, plot.width // 10))
    for tick, label in reversed(ticks) if plot.x.falls else ticks:
        column = plot.column(tick)
        start = min(max(column - len(label) // 2, 0), plot.width - len(label))
        if column >= 0 and start >= free:
            line[start : start + len(label)] = label
            free = start + len(label) + 2
    corner = (look.say(" " * (plot.left - 1) + "└"), look.style(look.line))
    return [corner, ("".join(line), look.style(look.label))]


def _x_name(chart: Chart, plot: Plot, look: Look) -> Row:
    name = look.say(chart.x_label)
    space = max(plot.width - cell_len(name), 0) // 2
    text = " " * (plot.left + space) + name
    return fitted([(text, look.style(look.label))], plot.left + plot.width)
