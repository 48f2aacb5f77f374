"""The same charts as pictures for a paper: PNG, SVG or PDF, by matplotlib, which is slow to import.

Text stays text in SVG and PDF.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from engine.errors import UsageError
from lthtui.charts.axes import Axis, Floats, shown
from lthtui.charts.lost import kinds, lost
from lthtui.charts.model import Chart, Look, View
from lthtui.charts.pens import Pen, in_legend, pens
from lthtui.charts.plot import Plot
from lthtui.colours import YELLOW

FORMATS = (".png", ".svg", ".pdf")
PAPER = Look(paper="#ffffff", text="#000000", label="#333333", line="#cccccc", contrast=2.0)
INKS = {YELLOW: "#000000"}  # the palette's eighth colour, for the one that white swallows
DASHES = ("-", (0, (6, 2)), (0, (6, 2, 1, 2)))  # none of them like `FEWER`
FEWER = ":"
COLUMNS = (3, 2, 1)  # of the legend: as many as have room
NAME = 12  # characters of a name that an inch of a legend has room for
MARKERS = {"◆": "D", "◇": "d", "✗": "X", "▲": "^", "▼": "v"}
MARK: Any = {"linestyle": "", "markersize": 5, "markeredgecolor": "white", "markeredgewidth": 0.6}
EDGE = 0.02  # share of the plot's height that marks at its edges are away from them
TICKS = (8, 7)  # about how many there are of x and y
BAND, FAINT = 0.2, 0.35
SHARP = 200  # dots per inch of a PNG
STYLE: Any = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "font.size": 9,
    "text.parse_math": False,  # names of runs are no formulas
}


def save(
    chart: Chart, file: Path, size: tuple[float, float] = (6.0, 4.0), view: View | None = None
) -> None:
    """Write a chart to a file whose suffix tells the format.

    Args:
        size: width and height in inches, without the legend, which is below the plot.
        view: which part of it; all of it without one. A cross-hair is not drawn.

    Raises:
        UsageError: the suffix is none of `FORMATS`.
    """
    if file.suffix.lower() not in FORMATS:
        raise UsageError(
            f"{file.name}: charts are written as {', '.join(FORMATS)}; name the file so"
        )
    import matplotlib
    from matplotlib.figure import Figure

    view = view or View()
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        _draw(figure.subplots(), _inked(chart), view)
        figure.savefig(file, dpi=SHARP)


def _inked(chart: Chart) -> Chart:
    """The chart in colours that are told apart on white paper, by the colour-blind too.

    To darken what is light there would bring it closer to its neighbours in the palette.
    """
    series = [replace(one, colour=INKS.get(one.colour, one.colour)) for one in chart.series]
    return replace(chart, series=series)


def _draw(axes: Any, chart: Chart, view: View) -> None:
    drawn = pens(chart, view, PAPER)
    chart = replace(chart, series=[pen.series for pen in drawn])
    plot = Plot.of(chart, view, (200, 60))
    for pen in drawn:
        _line(axes, pen, plot)
        _edges(axes, pen, plot)
    if chart.baseline is not None:
        axes.axhline(chart.baseline, color=PAPER.label, linestyle="--", linewidth=0.8)
    for side, axis, most in (("x", plot.x, TICKS[0]), ("y", plot.y, TICKS[1])):
        _axis(axes, side, axis, most)
    axes.grid(color=PAPER.line, linewidth=0.4)
    axes.spines[["top", "right"]].set_visible(False)
    if not any(len(pen.series.points.x) for pen in drawn):
        axes.text(0.5, 0.5, chart.empty, transform=axes.transAxes, ha="center", color=PAPER.label)
    notes = f" ({', '.join(chart.notes)})" if chart.notes else ""
    axes.set(title=chart.title, xlabel=chart.x_label, ylabel=chart.y_label + notes)
    _legend(axes, chart, drawn)


def _line(axes: Any, pen: Pen, plot: Plot) -> None:
    series, points = pen.series, pen.series.points.within(plot.x.low, plot.x.high)
    if series.edges is not None:
        low, high = series.edges
        limits = [_drawable(edge.y) for edge in (low, high)]
        axes.fill_between(low.x, *limits, color=pen.colour, alpha=BAND, linewidth=0)
    heights = _drawable(points.y)
    lone = "o" if np.count_nonzero(shown(heights, plot.y.scale)) == 1 else None
    looks: Any = {"linewidth": 0.7 if series.faint else 1.3, "zorder": 1.5 if series.faint else 2}
    if series.tally:
        fewer = np.interp(points.x, series.tally.x, series.tally.y) < series.count
        near = fewer | np.append(fewer[1:], False) | np.append(False, fewer[:-1])
        ends = np.where(near, heights, np.nan)  # as far as the points that it begins and ends at
        axes.plot(points.x, ends, color=pen.colour, linestyle=FEWER, **looks)
        heights = np.where(fewer, np.nan, heights)
    axes.plot(points.x, heights, color=pen.colour, linestyle=DASHES[pen.dash], marker=lone, **looks)
    for x, y, glyph in series.marks:
        mark: Any = {"marker": MARKERS.get(glyph, "o"), "zorder": 3, **MARK}
        within = plot.x.low <= x <= plot.x.high and plot.y.low <= y <= plot.y.high
        axes.plot([x], [y], color=pen.colour, clip_on=not within, **mark)  # whole at an edge, too


def _drawable(heights: Floats) -> Floats:
    """Heights without those that matplotlib fails at; it leaves out what else has no place."""
    return np.where(shown(heights, "linear"), heights, np.nan)


def _edges(axes: Any, pen: Pen, plot: Plot) -> None:
    """The marks of values that have no place, at most one for each column of the plot."""
    points = pen.series.points.within(plot.x.low, plot.x.high)
    across = axes.get_xaxis_transform()  # x as in the data, y as a fraction of the height
    for one in lost(points, plot.y.scale):
        at = {plot.column(x): x for x in one.x.tolist()}
        at.pop(-1, None)  # the neighbours of what is in view
        mark: Any = {"marker": MARKERS[one.glyph], "zorder": 3, "clip_on": False, **MARK}
        height = 1 - EDGE if one.top else EDGE
        axes.plot([*at.values()], [height] * len(at), color=pen.colour, transform=across, **mark)


def _axis(axes: Any, side: str, axis: Axis, most: int) -> None:
    """The scale, range and ticks of the terminal's chart."""
    options = {"linthresh": axis.flat} if axis.scale == "symlog" else {}
    getattr(axes, f"set_{side}scale")(axis.scale, **options)
    ticks = axis.ticks(most)
    getattr(axes, f"set_{side}ticks")(
        [value for value, _ in ticks], [label for _, label in ticks], minor=False
    )
    getattr(axes, f"{side}axis").minorticks_off()
    ends = (axis.high, axis.low) if axis.falls else (axis.low, axis.high)
    getattr(axes, f"set_{side}lim")(*ends)


def _legend(axes: Any, chart: Chart, drawn: list[Pen]) -> None:
    """Name what is drawn; a run that has no point yet would be taken for one that is hidden."""
    entries: list[tuple[str, Any]] = []
    for pen in in_legend([pen for pen in drawn if len(pen.series.points.x)]):
        seeds = f" (n={pen.series.count})" if pen.series.count > 1 else ""
        line = {"color": pen.colour, "linestyle": DASHES[pen.dash]}
        entries.append((pen.series.label + seeds, line))
    marks = kinds((pen.series.points for pen in drawn), chart.y_scale)
    glyphs = {glyph for pen in drawn for _, _, glyph in pen.series.marks}
    if chart.marks_label and glyphs:
        marks.insert(0, (min(glyphs), chart.marks_label))
    for glyph, word in marks:
        entries.append((word, {"color": PAPER.label, "marker": MARKERS.get(glyph, "o"), **MARK}))
    if chart.baseline is not None:
        dense = {"color": PAPER.label, "linestyle": "--", "linewidth": 0.8}
        entries.append((chart.baseline_label, dense))
    if entries:
        handles = [line for _, looks in entries for line in axes.plot([], [], **looks)]
        below(axes.figure, handles, [label for label, _ in entries])


def below(figure: Any, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Put the legend where it covers no data: below the plot, which keeps its height."""
    names = [fill(label, round(NAME * figure.get_figwidth())) for label in labels]
    for columns in COLUMNS:
        legend = figure.legend(
            handles, names, loc="outside lower center", ncols=columns, frameon=False, fontsize=8
        )
        box = legend.get_window_extent()
        if box.width <= figure.bbox.width or columns == COLUMNS[-1]:
            break
        legend.remove()
    figure.set_figheight(figure.get_figheight() + box.height / figure.dpi)
