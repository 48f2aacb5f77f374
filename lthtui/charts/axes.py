"""Axes of a chart: which part of the numbers is shown, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lthtui.charts import ticks
from lthtui.charts.ticks import Ticks, Unit

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Scale = Literal["linear", "log", "symlog"]
SCALES: tuple[Scale, ...] = ("linear", "log", "symlog")
HUGE = 1e300  # beyond it, and below its inverse, the width of a range could not be computed
FAR = 1e12  # axis lengths beyond which it makes no difference how far away a point is
BENT = 3  # powers of ten that a symlog axis bends on each side of zero
NARROWEST = 1e-9  # of a range that is zoomed into, as a share of its largest number


@dataclass(frozen=True)
class Axis:
    """The shown range of one coordinate.

    Attributes:
        low, high: ends of the range, low < high; above 0 on a log scale.
        scale: linear, log, or symlog: linear within `flat` of zero and log beyond.
        unit: percent shows fractions of 1 as percentages; count has ticks at whole numbers only;
            seconds are a length of time, clock is seconds since 1970.
        falls: whether the high end comes first (density runs from dense to sparse).
    """

    low: float
    high: float
    scale: Scale = "linear"
    unit: Unit = "number"
    falls: bool = False
    flat: float = 1.0

    def place(self, values: Floats) -> Floats:
        """Fractions of the axis, 0 at its beginning; NaN for what is not `shown`."""
        low, high = self._scaled(np.array([self.low, self.high]))
        with np.errstate(over="ignore"):
            fractions = np.clip((self._scaled(values) - low) / (high - low), -FAR, FAR)
        placed = 1 - fractions if self.falls else fractions
        return np.where(shown(values, self.scale), placed, np.nan)

    def share(self, value: float) -> float:
        """The fraction of one value, without the rounding that would put an end outside."""
        share = float(self.place(np.array([value]))[0])
        return next((end for end in (0.0, 1.0) if abs(share - end) < 1e-9), share)

    def value(self, share: float) -> float:
        """What lies at a fraction of the axis: the inverse of `share`."""
        low, high = self._scaled(np.array([self.low, self.high]))
        at = low + (1 - share if self.falls else share) * (high - low)
        if self.scale == "linear":
            return float(at)
        with np.errstate(over="ignore"):
            if self.scale == "log":
                return float(10.0**at)
            return float(np.sign(at) * self.flat * np.expm1(np.abs(at)))

    def part(self, start: float, end: float) -> Axis:
        """The axis from one fraction to another; itself where the numbers end."""
        low, high = sorted((self.value(start), self.value(end)))
        return self.cut((low, high))

    def cut(self, span: tuple[float, float] | None) -> Axis:
        """The axis from one value to another; itself without them or where it can't show them."""
        if span is None:
            return self
        low, high = span
        biggest = max(abs(low), abs(high))
        fine = 1 / HUGE < high - low >= NARROWEST * biggest and biggest < HUGE
        if not fine or (self.scale == "log" and low <= 1 / HUGE):
            return self
        return replace(self, low=low, high=high)

    def zoomed(self, factor: float, about: float = 0.5) -> Axis:
        """Enlarged `factor` times; what lies at the fraction `about` stays there."""
        return self.part(about * (1 - 1 / factor), about + (1 - about) / factor)

    def ticks(self, most: int) -> Ticks:
        """At most about `most` round values with their labels, rising."""
        if self.scale == "log":
            return ticks.log(self.low, self.high, most, self.unit)
        if self.scale == "symlog":
            return ticks.symlog(self.low, self.high, self.flat, most, self.unit)
        return ticks.linear(self.low, self.high, most, self.unit)

    def _scaled(self, values: Floats) -> Floats:
        finite = np.isfinite(values)
        if self.scale == "symlog":
            with np.errstate(over="ignore"):
                sizes = np.log1p(np.abs(np.where(finite, values, 0)) / self.flat)
            bent = np.sign(values) * np.minimum(sizes, FAR)
            return np.where(finite, bent, np.nan)
        if self.scale == "log":
            shown = finite & (values > 0)
            return np.where(shown, np.log10(np.where(shown, values, 1)), np.nan)
        return values if finite.all() else np.where(finite, values, np.nan)


def shown(values: Floats, scale: Scale) -> Bools:
    """Which values a scale has a place for, wherever an axis begins and ends."""
    sized = np.abs(values) < HUGE
    return sized & (values > 1 / HUGE) if scale == "log" else sized


def fit(
    values: Floats,
    scale: Scale = "linear",
    unit: Unit = "number",
    pad: float = 0.0,
    falls: bool = False,
) -> Axis:
    """Make an axis with a place for all that is `shown`.

    It is widened by `pad` of its length at both ends, percentages not beyond 0 and 100 %.
    """
    known = values[shown(values, scale)]
    if scale == "log":
        low, high = _fit_log(known, pad)
        if unit == "percent" and low < 1 and not (known > 1).any():
            high = min(high, 1.0)
        return Axis(low, high, scale, unit, falls)
    flat = _flat(known) if scale == "symlog" else 1.0
    if not known.size:
        return Axis(0.0, 1.0, scale, unit, falls, flat)
    low, high = float(known.min()), float(known.max())
    if scale == "symlog" and low < high:
        return Axis(low, high, scale, unit, falls, flat).part(-pad, 1 + pad)
    room = (high - low) * pad or (0 if high > low else _around(low, unit))
    wide = (low - room, high + room)
    if unit == "percent" and low >= 0 and high <= 1:
        wide = (max(0.0, wide[0]), min(1.0, wide[1]))
    return Axis(*wide, scale, unit, falls, flat)


def as_array(values: Any) -> Floats:
    """A float64 vector of anything that numpy can read as one."""
    return np.asarray(values, dtype=np.float64).reshape(-1)


def _flat(known: Floats) -> float:
    """Where a symlog axis begins to bend: a power of ten, so that it seldom moves as data grow."""
    top = float(np.abs(known).max(initial=0.0))
    return float(10.0 ** (np.ceil(np.log10(top)) - BENT)) if top > 1e-290 else 1.0


def _around(value: float, unit: Unit) -> float:
    """Half the range to show around a single value."""
    return 0.05 if unit == "percent" else abs(value) * 0.1 or 1.0


def _fit_log(known: Floats, pad: float) -> tuple[float, float]:
    if not known.size:
        return 0.01, 1.0
    low, high = float(known.min()), float(known.max())
    room = 2.0 if low == high else (high / low) ** pad
    return low / room, high * room
