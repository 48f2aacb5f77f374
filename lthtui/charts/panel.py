"""What is known of a quantity over several runs, and the charts that can be made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from lthtui.charts.axes import Floats, Scale, as_array
from lthtui.charts.model import Chart, Series
from lthtui.charts.smoothing import smoothed
from lthtui.charts.spread import BANDS, Band, centre, limits
from lthtui.charts.ticks import Unit

XName = Literal["step", "epoch", "wall", "relative", "level", "density"]
FEWER = "dotted: fewer seeds"
GRID = 1000  # places at which runs are compared whose points don't share any


@dataclass(frozen=True)
class XAxis:
    """How one of the things that x can be is shown."""

    label: str
    scale: Scale = "linear"
    unit: Unit = "count"
    falls: bool = False


X_AXES: dict[XName, XAxis] = {
    "step": XAxis("step"),
    "epoch": XAxis("epoch"),
    "wall": XAxis("time of day", unit="clock"),
    "relative": XAxis("time since start (h:mm)", unit="seconds"),
    "level": XAxis("level"),
    "density": XAxis("weights kept", "log", "percent", falls=True),
}


@dataclass(frozen=True, eq=False)
class Trace:
    """One run's measurements of one quantity.

    Attributes:
        y: (n,) values; NaN and infinities are what was measured, too.
        at: for each thing that x can be, where the values stand: (n,) numbers. Times are seconds,
            densities fractions of 1.
    """

    y: Sequence[float] | Floats
    at: Mapping[XName, Sequence[float] | Floats]

    def over(self, x: XName) -> tuple[Floats, Floats]:
        """Its x and y."""
        return as_array(self.at[x]), as_array(self.y)


@dataclass(frozen=True)
class Mark:
    """A point to be marked, such as a winning ticket."""

    at: Mapping[XName, float]
    y: float
    glyph: str


@dataclass(frozen=True, eq=False)
class Line:
    """What is drawn as one line: a run, or the runs of one group with their spread.

    Attributes:
        colour: `#rrggbb`.
        faint: drawn behind the others, without a band and not in the legend.
    """

    label: str
    traces: Sequence[Trace]
    colour: str = "#56b4e9"
    faint: bool = False
    marks: Sequence[Mark] = ()


@dataclass(frozen=True)
class How:
    """How a panel is to be drawn.

    Attributes:
        x: what x is; empty for the panel's first choice.
        half_life: of the moving average, in points; 0 for none. See `smoothing`.
        band: what the band around a mean is.
        traces: whether the runs behind a mean are drawn, too.
        scales: by the name of y, its scale where that is not to be the panel's own.
    """

    x: XName | Literal[""] = ""
    half_life: int = 0
    band: Band = "std"
    traces: bool = False
    scales: Mapping[str, Scale] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, eq=False)
class Panel:
    """The lines of one quantity; see `Chart` for what isn't described here.

    Attributes:
        xs: what x can be, the first choice first.
    """

    title: str = ""
    lines: Sequence[Line] = ()
    xs: Sequence[XName] = ("step",)
    y_label: str = ""
    y_unit: Unit = "number"
    y_scale: Scale = "linear"
    baseline: float | None = None
    baseline_label: str = "dense"
    marks_label: str = ""
    empty: str = "nothing to draw yet"

    def over(self, how: How) -> XName:
        """What x is: as asked, if the panel knows it."""
        return how.x if how.x and how.x in self.xs else self.xs[0]

    def chart(self, how: How | None = None) -> Chart:
        """Make the chart."""
        how = how or How()
        x = self.over(how)
        axis = X_AXES[x]
        series = [one for line in self.lines for one in _series(line, x, how)]
        return Chart(
            title=self.title,
            series=series,
            x_label=axis.label,
            y_label=self.y_label,
            notes=self._notes(how, series),
            x_scale=axis.scale,
            y_scale=how.scales.get(self.y_label, self.y_scale),
            x_unit=axis.unit,
            y_unit=self.y_unit,
            x_falls=axis.falls,
            baseline=self.baseline,
            baseline_label=self.baseline_label,
            marks_label=self.marks_label,
            empty=self.empty,
        )

    def _notes(self, how: How, series: Sequence[Series]) -> list[str]:
        """What was done to the numbers."""
        notes = []
        if any(one.count > 1 and not one.faint for one in series):
            notes.append(BANDS[how.band])
        if any(one.tally for one in series if not one.faint):
            notes.append(FEWER)
        if how.half_life:
            notes.append(f"EMA half-life {how.half_life}")
        if (x := self.over(how)) != self.xs[0]:
            notes.append(f"over {X_AXES[x].label}")  # small charts have no room for it below
        scale = how.scales.get(self.y_label, self.y_scale)
        if scale != self.y_scale:
            notes.append(scale)
        return notes


def _series(line: Line, x: XName, how: How) -> list[Series]:
    """The line, with what is drawn faintly behind it.

    Runs are smoothed one by one, and mean and band are those of the smoothed runs; the faint line
    behind is the mean without smoothing.
    """
    traces = [trace for trace in line.traces if len(trace.y)]
    marks = [(mark.at[x], mark.y, mark.glyph) for mark in line.marks if x in mark.at]
    base = Series(line.label, [], [], line.colour, faint=line.faint, marks=marks, count=len(traces))
    raw = [trace.over(x) for trace in traces]
    drawn = [(at, smoothed(y, how.half_life)) for at, y in raw] if how.half_life else raw
    faint = replace(base, faint=True, marks=())
    behind: list[Series] = []
    if how.half_life and not line.faint and traces:
        at, table = _aligned(traces, raw, x)
        mean = centre(table) if len(raw) > 1 else table[0]
        behind.append(replace(faint, x=at, y=mean, raw=True))
    if len(traces) < 2:
        ends = drawn or [(np.empty(0), np.empty(0))]
        return [*behind, replace(base, x=ends[0][0], y=ends[0][1])]
    if how.traces and not line.faint:
        behind += [replace(faint, x=at, y=y) for at, y in drawn]
    else:
        behind += [_lost(faint, at, y) for at, y in drawn if not np.isfinite(y).all()]
    at, table = _aligned(traces, drawn, x)
    counts = np.isfinite(table).sum(0).astype(np.float64)
    base = replace(base, x=at, y=centre(table), counts=counts)
    if how.band == "none" or line.faint:
        return [*behind, base]
    several = counts > 1  # one run has no spread
    low, high = (np.where(several, limit, np.nan) for limit in limits(table, how.band))
    return [*behind, replace(base, low=low, high=high)]


def _lost(faint: Series, at: Floats, y: Floats) -> Series:
    """Only what was no number in a run, as a mean over the others would hide it."""
    lost = ~np.isfinite(y)
    return replace(faint, x=at[lost], y=y[lost])


def _aligned(
    traces: Sequence[Trace], drawn: Sequence[tuple[Floats, Floats]], x: XName
) -> tuple[Floats, Floats]:
    """Bring runs to the same places.

    They share steps, epochs and levels; a density is that of a level, and the mean over the runs
    is where it stands. Times, and steps that are not shared, are met by interpolation between a
    run's own points, and nowhere beyond them.

    Returns:
        (n,) places and (runs, n) values, NaN where a run has none.
    """
    if len(drawn) == 1:
        return drawn[0][0], drawn[0][1][None]
    keys = [_keys(trace, x) for trace in traces]
    if x in ("wall", "relative") or not _shared(keys):
        return _interpolated(drawn)
    places = np.unique(np.concatenate(keys))
    where = np.full((len(drawn), len(places)), np.nan)
    table = where.copy()
    for row, (key, (at, y)) in enumerate(zip(keys, drawn, strict=True)):
        column = np.searchsorted(places, key)
        where[row, column], table[row, column] = at, y
    return centre(where), table


def _keys(trace: Trace, x: XName) -> Floats:
    """What tells which points of several runs belong together."""
    if x == "density":
        return as_array(trace.at["level"] if "level" in trace.at else range(len(trace.y)))
    return as_array(trace.at[x])


def _shared(keys: Sequence[Floats]) -> bool:
    """Whether most points of each run stand where the longest run has one."""
    longest = max(keys, key=len)
    return all(np.isin(key, longest).mean() >= 0.5 for key in keys)


def _interpolated(drawn: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    places = np.unique(np.concatenate([at for at, _ in drawn]))
    if len(places) > GRID:
        places = np.linspace(places[0], places[-1], GRID)
    rows = []
    for at, y in drawn:
        order = np.argsort(at, kind="stable")
        rows.append(np.interp(places, at[order], y[order], left=np.nan, right=np.nan))
    return places, np.array(rows)
