"""Mean and spread over seeds, point by point."""

from __future__ import annotations

from functools import lru_cache
from math import cos, pi, sin, sqrt, tan
from typing import Literal

import numpy as np

from lthtui.charts.axes import Floats

Band = Literal["std", "ci", "range", "none"]
BANDS: dict[Band, str] = {
    "std": "mean ± std",
    "ci": "mean, 95 % CI (t)",
    "range": "mean, min–max",
    "none": "mean",
}


def centre(table: Floats) -> Floats:
    """Mean of each column over the rows that have a number there; NaN where none has.

    Args:
        table: (rows, n) values, NaN where a row has none.
    """
    finite = np.isfinite(table)
    count = finite.sum(0)
    total = np.where(finite, table, 0.0).sum(0)
    mean: Floats = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean


def limits(table: Floats, band: Band) -> tuple[Floats, Floats]:
    """Lower and upper limit of each column's band; both are the mean where one row has a number.

    `std` is the sample deviation, `ci` the 95 % confidence interval of the mean by Student's t,
    `range` goes from the least to the greatest value.
    """
    finite = np.isfinite(table)
    mean, count = centre(table), finite.sum(0)
    if band == "range":
        known = count > 0
        low = np.where(finite, table, np.inf).min(0, initial=np.inf)
        high = np.where(finite, table, -np.inf).max(0, initial=-np.inf)
        return np.where(known, low, np.nan), np.where(known, high, np.nan)
    if band == "none":
        return mean, mean
    squares = np.where(finite, (table - mean) ** 2, 0.0).sum(0)
    reach = np.sqrt(np.divide(squares, count - 1, out=np.zeros(count.shape), where=count > 1))
    if band == "ci":
        reach *= [t95(int(n) - 1) / sqrt(n) if n > 1 else 0.0 for n in count]
    return mean - reach, mean + reach


@lru_cache(1024)
def t95(freedom: int) -> float:
    """How many standard errors the 95 % confidence interval of a mean reaches to each side.

    The probability within t is a finite sum for whole degrees of freedom (Abramowitz & Stegun
    26.7.3 and 26.7.4); t is found by halving the angle whose tangent is t / sqrt(freedom).
    """
    low, high = 0.0, pi / 2
    for _ in range(60):
        angle = (low + high) / 2
        low, high = (angle, high) if _within(angle, freedom) < 0.95 else (low, angle)
    return tan(low) * sqrt(freedom)


def _within(angle: float, freedom: int) -> float:
    """Probability that Student's t is at most sqrt(freedom) * tan(angle) from 0."""
    even = freedom % 2 == 0
    term = 1.0 if even else cos(angle)
    total = term if freedom > 1 else 0.0
    for k in range(2 if even else 3, freedom - 1, 2):
        term *= cos(angle) ** 2 * (k - 1) / k
        total += term
    return sin(angle) * total if even else 2 / pi * (angle + sin(angle) * total)
