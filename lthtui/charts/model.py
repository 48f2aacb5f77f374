"""What a chart is made of, and how it may look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style

from lthtui.charts.axes import Floats, Scale, Unit
from lthtui.charts.canvas import packed, style

LETTERS = "*o+x#%="
POINTS = "●■▲○□△◇"
_ASCII = str.maketrans("│┤└┈╌━░◆✗▲▼…±·" + POINTS, "|+'.-=:@x^v~+." + "*#^o#^o")


@dataclass(frozen=True, eq=False)
class Series:
    """A line, its band and its marks.

    Attributes:
        x, y: (n,) points in any order. NaN and infinities in `y` are drawn as gaps with a marker at
            the plot's edge; what was never measured must be left out.
        colour: `#rrggbb`.
        low, high: (n,) limits of the band, or None.
        faint: drawn behind the others, and not in the legend.
        marks: (x, y, one-cell glyph) in front of all lines.
    """

    label: str
    x: Sequence[float] | Floats
    y: Sequence[float] | Floats
    colour: str = "#56b4e9"
    low: Sequence[float] | Floats | None = None
    high: Sequence[float] | Floats | None = None
    faint: bool = False
    marks: Sequence[tuple[float, float, str]] = ()


@dataclass(frozen=True, eq=False)
class Chart:
    """What a chart shows.

    Attributes:
        x_falls: whether x runs from high to low.
        guides: dotted lines at the ticks of y.
        baseline: height of a dashed line, or None.
        marks_label: what a mark means, for the legend.
        empty: what to say when there is nothing to draw.
    """

    title: str = ""
    series: Sequence[Series] = ()
    x_label: str = ""
    y_label: str = ""
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
class Look:
    """How a chart may look.

    Attributes:
        colour: without it, bands are shaded and lines carry their own point marks.
        braille: without it, only ASCII characters are used, one letter per line.
        paper: the colour behind the chart, which bands and faint lines are mixed with.
    """

    colour: bool = True
    braille: bool = True
    paper: str = "#16161e"
    text: str = "#c8cee4"
    label: str = "#8590b5"
    line: str = "#4a5272"

    def say(self, text: str) -> str:
        """Text in the characters that this look may use."""
        if self.braille:
            return text
        return text.translate(_ASCII).encode("ascii", "replace").decode()

    def style(self, colour: str, bold: bool = False) -> Style:
        """The style of text in one colour."""
        return style(packed(colour, bold)) if self.colour else Style(bold=bold or None)

    def swatch(self, index: int, count: int) -> str:
        """The sample of line `index` of `count` in a legend."""
        if not self.braille:
            return 2 * LETTERS[index % len(LETTERS)]
        if self.colour or count < 2:
            return "━━"
        return "━" + POINTS[index % len(POINTS)]


PLAIN = Look(colour=False)
ASCII = Look(colour=False, braille=False)
