"""How the figures of a report are written: units, digits and what is beside the mean."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lthtui import written
from lthtui.charts.spread import t95
from lthtui.reports.model import Kind, Number, Spread
from lthtui.significance import deviation, mean

UNKNOWN = "–"
_SIZES = ("B", "kB", "MB", "GB", "TB")


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


def said(number: Number, spread: Spread, usual: int = 0) -> Said:
    """A figure in words.

    Args:
        usual: how many values others have; how many this has is said where that differs.
    """
    values = number.values
    if not values:
        return Said(UNKNOWN)
    half = reach(values, spread)
    around = "" if half is None or not half > 0 else figure(number.kind, half, spread=True)
    count = "" if len(values) == usual else str(len(values))
    shown = figure(number.kind, mean(values))
    if number.kind == "number" and around:
        shown = f"{mean(values):.{_decimals(around)}f}"
    return Said(shown, around, count, number.stars)


def reach(values: tuple[float, ...], spread: Spread) -> float | None:
    """What stands behind ±; None of a single value."""
    if len(values) < 2:
        return None
    std = deviation(values)
    return std if spread == "std" else t95(len(values) - 1) * std / math.sqrt(len(values))


def figure(kind: Kind, value: float, spread: bool = False) -> str:
    """A value of a kind; accuracies, points and densities in percent."""
    if not math.isfinite(value):
        return str(value)
    if kind == "bytes":
        power = min(int(math.log10(max(abs(value), 1)) / 3), len(_SIZES) - 1)
        return f"{value / 1000**power:.3g} {_SIZES[power]}"
    if kind == "joules":
        return f"{value / 1000:.3g} kJ" if abs(value) >= 1000 else f"{value:.3g} J"
    if kind == "number":
        return f"{value:.{2 if spread else 4}g}"
    return written.figure(kind, value, spread)


def _decimals(text: str) -> int:
    """Behind the point of a deviation, which its mean is told to, too."""
    return len(f"{float(text):f}".rstrip("0").partition(".")[2])
