"""The same charts as pictures for a paper: PNG, SVG or PDF, by matplotlib, which is slow to import.

Text stays text in SVG and PDF.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UsageError
from lthtui.charts.axes import Axis
from lthtui.charts.model import Chart, Look, View
from lthtui.charts.pens import Pen, in_legend, pens
from lthtui.charts.plot import Plot

FORMATS = (".png", ".svg", ".pdf")
PAPER = Look(paper="#ffffff", text="#000000", label="#333333", line="#cccccc")
DASHES = ("-", (0, (6, 2)), (0, (2, 2)))  # as `model.SWATCHES`
MARKERS = {"◆": "D", "◇": "d"}
MARK: Any = {"markersize": 5, "markeredgecolor": "white", "markeredgewidth": 0.6}
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
        size: width and height in inches.
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
        _draw(figure.subplots(), chart, view)
        figure.savefig(file, dpi=SHARP)


def _draw(axes: Any, chart: Chart, view: View) -> None:
    drawn = pens(chart, view, PAPER)
    chart = replace(chart, series=[pen.series for pen in drawn])
    plot = Plot.of(chart, view, (200, 60))
    for pen in drawn:
        _line(axes, pen, plot)
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
        axes.fill_between(low.x, low.y, high.y, color=pen.colour, alpha=BAND, linewidth=0)
    lone = "o" if np.count_nonzero(np.isfinite(points.y)) == 1 else None
    looks: Any = {"linewidth": 0.7 if series.faint else 1.3, "zorder": 1.5 if series.faint else 2}
    heights = points.y
    if series.tally:
        fewer = np.interp(points.x, series.tally.x, series.tally.y) < series.count
        near = fewer | np.append(fewer[1:], False) | np.append(False, fewer[:-1])
        ends = np.where(near, heights, np.nan)  # as far as the points that it begins and ends at
        axes.plot(points.x, ends, color=pen.colour, linestyle=":", **looks)
        heights = np.where(fewer, np.nan, heights)
    axes.plot(points.x, heights, color=pen.colour, linestyle=DASHES[pen.dash], marker=lone, **looks)
    for x, y, glyph in series.marks:
        mark: Any = {"marker": MARKERS.get(glyph, "o"), "linestyle": "", "zorder": 3, **MARK}
        within = plot.x.low <= x <= plot.x.high and plot.y.low <= y <= plot.y.high
        axes.plot([x], [y], color=pen.colour, clip_on=not within, **mark)  # whole at an edge, too


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
    handles, labels = [], []
    for pen in in_legend(drawn):
        seeds = f" (n={pen.series.count})" if pen.series.count > 1 else ""
        handles += axes.plot([], [], color=pen.colour, linestyle=DASHES[pen.dash])
        labels.append(pen.series.label + seeds)
    if chart.marks_label and any(pen.series.marks for pen in drawn):
        handles += axes.plot([], [], color=PAPER.label, marker="D", linestyle="", **MARK)
        labels.append(chart.marks_label)
    if chart.baseline is not None:
        handles += axes.plot([], [], color=PAPER.label, linestyle="--", linewidth=0.8)
        labels.append(chart.baseline_label)
    if handles:
        axes.legend(handles, labels, frameon=False, fontsize=8)
