"""How the figures of a contrast are written: units, digits, mean ± deviation, n and stars."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lthtui.board import duration, operations, percent
from lthtui.contrast import Entry, Kind, Measure
from lthtui.significance import LEVELS, SAME

PERCENT = ("accuracy", "points", "density")
LEGEND = ", ".join(f"{stars} p<{below:g}" for below, stars in reversed(LEVELS))


@dataclass(frozen=True)
class Written:
    """An entry in words; without values `mean` is a dash and the rest is empty.

    Attributes:
        deviation: without its sign; empty of one seed, and where all seeds have the same.
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
    spread = "" if deviation is None or alike else figure(measure.kind, deviation, spread=True)
    return Written(figure(measure.kind, mean), spread, str(len(found.values)), stars)


def figure(kind: Kind, value: float, spread: bool = False) -> str:
    """A value of a kind; of a deviation the digits that go with it."""
    if not math.isfinite(value):
        return str(value)
    if kind in ("accuracy", "points"):
        return f"{100 * value:{'+' if kind == 'points' and not spread else ''}.2f}"
    if kind == "share":
        return f"{value:.2f}"
    if kind == "density":
        return f"{100 * value:.{2 if spread else 3}g}"
    if kind == "operations":
        return operations(value)
    if kind == "seconds":
        return duration(value)
    return f"{value:.1f}" if spread or value != int(value) else f"{value:.0f}"


def probability(p: float) -> str:
    """A p value: two digits, and nothing below 0.001."""
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"
