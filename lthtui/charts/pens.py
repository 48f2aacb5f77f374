"""What each line of a chart is drawn with, so that lines can be told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lthtui.charts.canvas import FAINT_LINE
from lthtui.charts.model import SWATCHES, Chart, Look, Series, View
from lthtui.legible import SEEN, legible, mix

FEW = 6  # lines whose raw values can be drawn behind all of them; there is always the focus
FAINT, DIM = 0.4, 0.45  # share of its own colour that a faint line and one out of focus keeps


@dataclass(frozen=True, eq=False)
class Pen:
    """A series and how it is drawn.

    Attributes:
        index: its place among the lines that have names; FAINT_LINE for faint ones.
        count: how many lines have names.
        colour: `#rrggbb` of the line.
        dash: which of the patterns of `SWATCHES`; lines of one colour differ in it.
        bright: whether it is neither faint nor out of focus.
    """

    series: Series
    index: int
    count: int
    colour: str
    dash: int = 0
    bright: bool = True

    @property
    def rank(self) -> int:
        """Lines of a higher rank push those of a lower one out of the cells that they share."""
        return 2 if self.bright else int(not self.series.faint)


def pens(chart: Chart, view: View, look: Look) -> list[Pen]:
    """The pens of a chart's series, in the order in which they are drawn: the last is in front."""
    named = [one for one in chart.series if not one.faint]
    focused = any(one.label == view.focus for one in named) and bool(view.focus)
    few = len(named) <= FEW
    behind = [
        Pen(one, FAINT_LINE, 0, _dimmed(one, look, FAINT), bright=False)
        for one in chart.series
        if one.faint and (one.label == view.focus if focused else not one.raw or few)
    ]
    met: Counter[str] = Counter()
    front = []
    for index, one in enumerate(named):
        bright = not focused or one.label == view.focus
        shown = look.legible(one.colour) if bright else _dimmed(one, look, DIM)
        dash = 0 if focused and bright else met[one.colour] % len(SWATCHES)
        front.append(Pen(one, index, len(named), shown, dash, bright))
        met[one.colour] += 1
    return behind + sorted(front, key=lambda pen: focused and pen.bright)


def _dimmed(series: Series, look: Look, share: float) -> str:
    """A share of a line's colour in the paper's, as much as it takes to be seen."""
    return legible(mix(look.legible(series.colour), look.paper, share), look.paper, SEEN)


def in_legend(drawn: Sequence[Pen]) -> list[Pen]:
    """Those that the legend names, the one in focus first."""
    named = [pen for pen in drawn if pen.series.label and not pen.series.faint]
    return sorted(named, key=lambda pen: (not pen.bright, pen.index))
