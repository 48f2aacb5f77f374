"""Values that have no place in a plot: what they are, and at which edge a mark tells of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from lthtui.charts.axes import HUGE, Floats, Scale, shown
from lthtui.charts.points import Points
from lthtui.charts.ticks import short


@dataclass(frozen=True, eq=False)
class Lost:
    """Points of a series that have no place for one and the same reason.

    Attributes:
        glyph: their mark, of one cell.
        word: what they are.
        x: (n,) where they are.
    """

    glyph: str
    word: str
    x: Floats

    @property
    def top(self) -> bool:
        """Whether the mark is at the upper edge."""
        return self.glyph == "▲"


def lost(points: Points, scale: Scale) -> Iterator[Lost]:
    """What a scale of y can't show of a series, kind by kind."""
    y = points.y
    if shown(y, scale).all():
        return
    low, floor = (0.0, 1 / HUGE) if scale == "log" else (-np.inf, -HUGE)
    for glyph, word, there in (
        ("✗", "NaN", np.isnan(y)),
        ("▲", "inf", y == np.inf),
        ("▲", f"above {short(HUGE)}", (y >= HUGE) & (y < np.inf)),
        ("▼", "not above 0" if scale == "log" else "-inf", y <= low),
        ("▼", f"below {short(floor)}", (y > low) & (y <= floor)),
    ):
        if there.any():
            yield Lost(glyph, word, points.x[there])


def kinds(lines: Iterable[Points], scale: Scale) -> list[tuple[str, str]]:
    """Mark and word of each kind that a scale of y can't show of these lines, for a legend."""
    found = ((one.glyph, one.word) for points in lines for one in lost(points, scale))
    return [*dict.fromkeys(found)]
