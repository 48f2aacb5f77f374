"""Axes of a chart: which part of the numbers is shown, where, and which ticks name it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Scale = Literal["linear", "log"]
Unit = Literal["number", "percent", "count"]
HUGE = 1e300  # beyond it, and below its inverse, the width of a range could not be computed


@dataclass(frozen=True)
class Axis:
    """The shown range of one coordinate.

    Attributes:
        low, high: ends of the range, low < high; above 0 on a log scale.
        scale: linear or log.
        unit: percent shows fractions of 1 as percentages; count has ticks at whole numbers only.
        falls: whether the high end comes first (density runs from dense to sparse).
    """

    low: float
    high: float
    scale: Scale = "linear"
    unit: Unit = "number"
    falls: bool = False

    def place(self, values: Floats) -> Floats:
        """Fractions of the axis, 0 at its beginning; NaN for what the scale can't show."""
        low, high = _scaled(np.array([self.low, self.high]), self.scale)
        fractions = (_scaled(values, self.scale) - low) / (high - low)
        placed: Floats = 1 - fractions if self.falls else fractions
        return placed

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """At most about `most` round values with their labels, rising."""
        factor = 100.0 if self.unit == "percent" else 1.0
        low, high = self.low * factor, self.high * factor
        if self.scale == "log":
            values = _log_ticks(low, high, most)
            labels = [_short(value) for value in values]
        else:
            least = 1.0 if self.unit == "count" else 0.0
            values, step = _linear_ticks(low, high, most, least)
            labels = [_in_steps(value, step) for value in values]
        sign = "%" if self.unit == "percent" else ""
        return [(value / factor, label + sign) for value, label in zip(values, labels, strict=True)]


def fit(
    values: Floats,
    scale: Scale = "linear",
    unit: Unit = "number",
    pad: float = 0.0,
    falls: bool = False,
) -> Axis:
    """Make an axis that shows all finite values, widened by `pad` of its length at both ends.

    Percentages are not widened beyond 0 and 100 %.
    """
    shown = values[np.isfinite(values) & (np.abs(values) < HUGE)]
    if scale == "log":
        low, high = _fit_log(shown[shown > 1 / HUGE], pad)
        if unit == "percent" and low < 1 and not (shown > 1).any():
            high = min(high, 1.0)
        return Axis(low, high, scale, unit, falls)
    if not shown.size:
        return Axis(0.0, 1.0, scale, unit, falls)
    low, high = float(shown.min()), float(shown.max())
    room = (high - low) * pad or (0 if high > low else _around(low, unit))
    wide = (low - room, high + room)
    if unit == "percent" and low >= 0 and high <= 1:
        wide = (max(0.0, wide[0]), min(1.0, wide[1]))
    return Axis(*wide, scale, unit, falls)


def _around(value: float, unit: Unit) -> float:
    """Half the range to show around a single value."""
    return 0.05 if unit == "percent" else abs(value) * 0.1 or 1.0


def _fit_log(shown: Floats, pad: float) -> tuple[float, float]:
    if not shown.size:
        return 0.01, 1.0
    low, high = float(shown.min()), float(shown.max())
    room = 2.0 if low == high else (high / low) ** pad
    return low / room, high * room


def _scaled(values: Floats, scale: Scale) -> Floats:
    finite = np.where(np.isfinite(values), values, np.nan)
    if scale == "linear":
        return finite
    scaled: Floats = np.log10(np.where(finite > 0, finite, np.nan))
    return scaled


def _linear_ticks(
    low: float, high: float, most: int, least: float = 0.0
) -> tuple[list[float], float]:
    """Multiples of 1, 2 or 5 times a power of ten, and their distance, at least `least`."""
    rough = max((high - low) / max(most, 1), least)
    power = 10.0 ** np.floor(np.log10(rough))
    step = float(next(power * k for k in (1, 2, 5, 10) if power * k >= rough * (1 - 1e-9)))
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    if last - first > 4 * max(most, 1) or step < 4 * np.spacing(max(abs(low), abs(high))):
        return [low, high], high - low  # the range is at the limit of floating point
    return [float(step * turn) for turn in np.arange(first, last + 1)], step


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    """Steps of 1-2-5, finer ones in a narrow range and coarser ones in a wide one."""
    for coarser in ((1, 2, 5), (1, 3), (1,)):
        ticks = _decades(low, high, coarser)
        if len(ticks) <= most:
            break
    for finer in ((1, 2, 3, 5, 7), (1, 2, 3, 4, 5, 6, 7, 8, 9)):
        if len(ticks) < 4 and len(_decades(low, high, finer)) <= most:
            ticks = _decades(low, high, finer)
    if len(ticks) < 2:
        return _linear_ticks(low, high, most)[0]
    return ticks[:: max(1, -(-len(ticks) // max(most, 1)))]


def _decades(low: float, high: float, factors: Sequence[int]) -> list[float]:
    """These multiples of the powers of ten in a range."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [float(f"{factor}e{power}") for power in powers for factor in factors]
    return [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]


def _in_steps(value: float, step: float) -> str:
    """A tick's label with as many decimals as neighbours need."""
    size = max(abs(value), step)
    if size >= 1e4 or size < 1e-4 or step < 1e-6:
        return _short(value)
    decimals = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    return f"{value + 0.0:.{decimals}f}"


def _short(value: float) -> str:
    value += 0.0  # no minus before zero
    if abs(value) >= 1e9:
        return f"{value:.3g}"
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * unit or (unit == 1e6 and abs(value) >= unit):
            return f"{value / unit:.4g}{letter}"
    return f"{value:.4g}"


def as_array(values: Any) -> Floats:
    """A float64 vector of anything that numpy can read as one."""
    return np.asarray(values, dtype=np.float64).reshape(-1)
