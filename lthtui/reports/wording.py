"""How the figures of a report are written: the mean, what is beside it, and how many values."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from lthtui import written
from lthtui.charts.spread import t95
from lthtui.reports.model import Number, Spread
from lthtui.significance import SAME, deviation, mean

UNKNOWN = "–"
_NEGATIVE = re.compile(r"(?<![\w.+-])-(?=\d)")


@dataclass(frozen=True)
class Said:
    """A figure in words; without values `mean` is a dash and the rest is empty."""

    mean: str
    reach: str = ""
    count: str = ""
    stars: str = ""

    @property
    def text(self) -> str:
        """As one text, with narrow gaps."""
        around = f" ± {self.reach}" if self.reach else ""
        return f"{self.mean}{around}{f' ({self.count})' if self.count else ''}{self.stars}"


def minus(text: str) -> str:
    """Text with minus signs for the hyphens in front of its numbers."""
    return _NEGATIVE.sub("−", text)


def said(number: Number, spread: Spread, usual: int = 0) -> Said:
    """A figure in words.

    Args:
        usual: how many values others have; how many this has is said where that differs.
    """
    values = number.values
    if not values:
        return Said(UNKNOWN)
    if number.kind == "p":
        return Said(f"{values[0]:.2g}")
    half = reach(values, spread)
    count = "" if len(values) == usual else str(len(values))
    if half is None or not half > SAME * abs(mean(values)):
        return Said(minus(written.figure(number.kind, mean(values))), "", count, number.stars)
    middle, around = written.pair(number.kind, mean(values), half)
    return Said(minus(middle), around, count, number.stars)


def reach(values: tuple[float, ...], spread: Spread) -> float | None:
    """What stands behind ±; None of a single value."""
    if len(values) < 2:
        return None
    std = deviation(values)
    return std if spread == "std" else t95(len(values) - 1) * std / math.sqrt(len(values))
