"""How the figures of a contrast are written: units, digits, mean ± deviation, n and stars."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from lthtui import contrast
from lthtui.board import duration, operations, percent
from lthtui.contrast import Entry, Measure
from lthtui.significance import LEVELS, SAME

Kind = contrast.Kind | Literal["bytes", "joules", "number"]
PERCENT = ("accuracy", "points", "density")
SMALL, LARGE, MOST = 1e-4, 1e6, 6  # between which numbers have no exponent; and decimals at most
_PLACES: dict[Kind, int] = {"accuracy": 2, "points": 2, "share": 2}
_UNITS: dict[Kind, tuple[str, ...]] = {
    "operations": ("", " k", " M", " G", " T", " P", " E"),
    "bytes": (" B", " kB", " MB", " GB", " TB"),
    "joules": (" J", " kJ"),
}
LEGEND = ", ".join(f"{stars} p<{below:g}" for below, stars in reversed(LEVELS))


@dataclass(frozen=True)
class Written:
    """An entry in words; without values `mean` is a dash and the rest is empty.

    Attributes:
        deviation: without its sign, with the unit of both; empty of one seed, and where all
            seeds have the same.
        count: how many seeds there are.
    """

    mean: str
    deviation: str = ""
    count: str = ""
    stars: str = ""

    def joined(self, sign: str = "±") -> str:
        """As one text."""
        spread = f"{sign}{self.deviation}" if self.deviation else ""
        return f"{self.mean}{spread}" + (f" ({self.count})" if self.count else "") + self.stars


def name(measure: Measure, short: bool = False) -> str:
    """What stands before a line: `test accuracy at 51% kept`, in short `test at 51%`."""
    if measure.density is None:
        return measure.name + (" %" if measure.kind in PERCENT else "")
    whole = f"{measure.name} at {percent(measure.density)} kept"
    return whole.replace(" accuracy", "").removesuffix(" kept") if short else whole


def entry(measure: Measure, found: Entry) -> Written:
    """Mean, sample deviation, number of seeds, and stars."""
    mean, deviation = found.mean, found.deviation
    if mean is None:
        return Written("–")
    stars = found.finding.stars if found.finding else ""
    alike = deviation is not None and deviation <= SAME * abs(mean) and measure.kind != "accuracy"
    count = str(len(found.values))
    if deviation is None or alike:
        return Written(figure(measure.kind, mean), "", count, stars)
    return Written(*pair(measure.kind, mean, deviation), count, stars)


def figure(kind: Kind, value: float) -> str:
    """A value of a kind; accuracies, points and densities in percent."""
    if not math.isfinite(value):
        return str(value)
    if kind == "seconds":
        return duration(value)
    if kind == "operations":
        return operations(value)
    if kind == "number":
        return f"{value:.4g}"
    factor, unit = _unit(kind, value)
    if kind in ("density", "bytes", "joules"):
        return f"{value / factor:.3g}{unit}"
    return _fixed(kind, value / factor, _PLACES.get(kind, 0 if value == int(value) else 1)) + unit


def pair(kind: Kind, mean: float, spread: float) -> tuple[str, str]:
    """A mean and what is beside it, in one unit, which stands behind both.

    The mean has as many decimals as what is beside it, which has two digits unless the kind has
    decimals of its own.
    """
    size = max(abs(mean), spread)
    apart = kind == "number" and not SMALL <= size < LARGE
    if kind == "seconds" or apart or not math.isfinite(size):
        return figure(kind, mean), figure(kind, spread)
    factor, unit = _unit(kind, size)
    places = _PLACES.get(kind, _places(spread / factor))
    beside = _fixed("number", spread / factor, places)
    return _fixed(kind, mean / factor, places), beside + unit


def _fixed(kind: Kind, value: float, places: int) -> str:
    return f"{value:{'+' if kind == 'points' else ''}.{places}f}"


def _places(spread: float) -> int:
    """The decimals with which a deviation has two digits."""
    return min(max(1 - math.floor(math.log10(spread)), 0), MOST) if spread > 0 else 0


def _unit(kind: Kind, size: float) -> tuple[float, str]:
    """What values of a kind are divided by, and what is written behind them."""
    if kind in PERCENT:
        return 0.01, ""
    units = _UNITS.get(kind, ("",))
    power = min(int(math.log10(max(abs(size), 1.0)) / 3), len(units) - 1)
    return 1000.0**power, units[power]


def probability(p: float) -> str:
    """A p value: two digits, and nothing below 0.001."""
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"
