"""What a chart is made of, which part of it is shown, and how it may look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from rich.style import Style

from lthtui.charts.axes import Floats, Scale, as_array
from lthtui.charts.canvas import packed, style
from lthtui.charts.points import Points
from lthtui.charts.ticks import Unit
from lthtui.legible import LEGIBLE, legible
from lthtui.signs import spelled
from lthtui.text import clean_line

LETTERS = "*o+x#%="
POINTS = "●■▲○□△◇"
SWATCHES = ("━━", "╍╍", "┅┅")  # solid, dashed, dotted

Span = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Series:
    """A line, its band and its marks.

    Attributes:
        x, y: (n,) points in any order. NaN and infinities in `y` are drawn as gaps with a marker at
            the plot's edge; what was never measured must be left out.
        colour: `#rrggbb`.
        low, high: (n,) limits of the band, or None.
        faint: drawn behind the others, and not in the legend.
        raw: faint, and what the line of the same label is an average of; left out where many
            lines are bright.
        marks: (x, y, one-cell glyph) in front of all lines.
        count: how many runs are behind it; told in the legend if there are several.
        counts: (n,) how many of them have a number at each point, or None for all of them.
    """

    label: str
    x: Sequence[float] | Floats
    y: Sequence[float] | Floats
    colour: str = "#56b4e9"
    low: Sequence[float] | Floats | None = None
    high: Sequence[float] | Floats | None = None
    faint: bool = False
    raw: bool = False
    marks: Sequence[tuple[float, float, str]] = ()
    count: int = 1
    counts: Sequence[float] | Floats | None = None

    @cached_property
    def points(self) -> Points:
        """The line's points in order."""
        return Points.of(self.x, self.y)

    @cached_property
    def edges(self) -> tuple[Points, Points] | None:
        """The band's lower and upper limits in order."""
        if self.low is None or self.high is None:
            return None
        return Points.of(self.x, self.low), Points.of(self.x, self.high)

    @cached_property
    def tally(self) -> Points | None:
        """How many runs are behind each point, in order; None where it is all at every point."""
        if self.counts is None or (as_array(self.counts) >= self.count).all():
            return None
        return Points.of(self.x, self.counts)

    @cached_property
    def marked(self) -> Points:
        """Where the marks are."""
        at = np.array([mark[:2] for mark in self.marks], np.float64).reshape(-1, 2)
        return Points.of(as_array(at[:, 0]), as_array(at[:, 1]))


@dataclass(frozen=True, eq=False)
class Chart:
    """What a chart shows.

    Attributes:
        notes: how the lines came about, such as `mean ± std`; said above the plot.
        x_falls: whether x runs from high to low.
        guides: dotted lines at the ticks of y.
        baseline: height of a dashed line, or None.
        marks_label: what a mark means, for the legend; of ◆ and ◇ it is ◆ that is meant.
        empty: what to say when there is nothing to draw.
    """

    title: str = ""
    series: Sequence[Series] = ()
    x_label: str = ""
    y_label: str = ""
    notes: Sequence[str] = ()
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    x_unit: Unit = "number"
    y_unit: Unit = "number"
    x_falls: bool = False
    guides: bool = True
    baseline: float | None = None
    baseline_label: str = "dense"
    marks_label: str = ""
    empty: str = "nothing to draw yet"


@dataclass(frozen=True)
class View:
    """Which part of a chart is shown, and what is pointed at.

    Attributes:
        x, y: shown ranges in the data's own numbers; None for all of x, and for the y of what
            is shown of x.
        follow: whether the range of x keeps its length and ends at the newest data.
        cursor: x of the cross-hair.
        pointer: y that the mouse points at; the series nearest to it is named first.
        focus: label of the one series that is drawn bright; empty for all.
        reference: label of the series that the cross-hair tells differences to; empty for the
            chart's baseline.
        reach: from where to where x goes at least, as it does in charts beside this one.
        margin: cells that the labels of y get at least, as they do in those charts.
        box: two corners, (x, y) each, of what the mouse is about to enlarge.
    """

    x: Span | None = None
    y: Span | None = None
    follow: bool = False
    cursor: float | None = None
    pointer: float | None = None
    focus: str = ""
    reference: str = ""
    reach: Span | None = None
    margin: int = 0
    box: tuple[Span, Span] | None = None


@dataclass(frozen=True)
class Look:
    """How a chart may look.

    Attributes:
        colour: without it, bands are shaded and lines carry their own point marks.
        braille: without it, only ASCII characters are used, one letter per line.
        paper: the colour behind the chart, which bands and faint lines are mixed with.
        contrast: the least that lines have with it.
    """

    colour: bool = True
    braille: bool = True
    paper: str = "#16161e"
    text: str = "#c8cee4"
    label: str = "#8590b5"
    line: str = "#4a5272"
    contrast: float = LEGIBLE

    def say(self, text: str) -> str:
        """Text in the characters that this look may use, and in none that move the cursor."""
        return self.spell(clean_line(text))

    def spell(self, drawn: str) -> str:
        """What a chart draws, in the characters that this look may use."""
        return drawn if self.braille else spelled(drawn)

    def style(self, colour: str, bold: bool = False) -> Style:
        """The style of text in one colour."""
        return style(packed(colour, bold)) if self.colour else Style(bold=bold or None)

    def legible(self, colour: str) -> str:
        """The colour, moved away from the paper's where it would be hard to see."""
        return legible(colour, self.paper, self.contrast)

    def swatch(self, index: int, count: int, dash: int = 0) -> str:
        """The sample of line `index` of `count` in a legend."""
        if not self.braille:
            return 2 * LETTERS[index % len(LETTERS)]
        if self.colour or count < 2:
            return SWATCHES[dash]
        return "━" + POINTS[index % len(POINTS)]


PLAIN = Look(colour=False)
ASCII = Look(colour=False, braille=False)
