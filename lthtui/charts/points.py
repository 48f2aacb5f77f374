"""The points of one series, put in order once, and thinned once where there are very many."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lthtui.charts.axes import Floats, as_array

MANY = 65_536  # points that are drawn as they are; any screen has far fewer dot columns
THINNED = 16_384  # groups of neighbours that more points than that are thinned to


@dataclass(frozen=True, eq=False)
class Points:
    """Points in the order of x. NaN and infinities in `y` stay; points without an x are dropped.

    Attributes:
        x, y: (n,) of the same length.
    """

    x: Floats
    y: Floats

    @classmethod
    def of(cls, x: Any, y: Any) -> Points:
        """Points of anything that numpy can read as vectors of one length."""
        x, y = as_array(x), as_array(y)
        if len(x) != len(y):
            raise ValueError(f"{len(x)} values of x and {len(y)} of y: they must be pairs")
        return cls(*rising(x, y))

    @cached_property
    def thinned(self) -> Points:
        """Of each group of neighbours its ends, its extremes and its first gap.

        All are points of the series, at their own x: no spike is lost, and none moves.
        """
        size = -(-len(self.x) // THINNED)
        whole = len(self.x) // size * size
        y = self.y[:whole].reshape(-1, size)
        finite = np.isfinite(y)
        start = np.arange(0, whole, size)
        gaps = ~finite.all(1)
        kept = [
            start,
            start + size - 1,
            start + np.where(finite, y, np.inf).argmin(1),
            start + np.where(finite, y, -np.inf).argmax(1),
            start[gaps] + (~finite[gaps]).argmax(1),
            np.arange(whole, len(self.x)),
        ]
        index = np.unique(np.concatenate(kept))
        return Points(self.x[index], self.y[index])

    def within(self, low: float, high: float) -> Points:
        """The points from one x to another and one neighbour to each side, thinned if many."""
        found = self._slice(low, high)
        return self.thinned._slice(low, high) if len(found.x) > MANY else found

    def nearest(self, x: float) -> int | None:
        """The index of the point nearest to an x; None beyond the ends of the series."""
        if not len(self.x) or not self.x[0] <= x <= self.x[-1]:
            return None
        right = int(np.searchsorted(self.x, x))
        left = max(right - 1, 0)
        return right if self.x[right] - x <= x - self.x[left] else left

    def _slice(self, low: float, high: float) -> Points:
        first = max(int(np.searchsorted(self.x, low)) - 1, 0)
        last = int(np.searchsorted(self.x, high, side="right")) + 1
        return Points(self.x[first:last], self.y[first:last])


def rising(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Points in the order of x, without those that have none."""
    known = np.isfinite(x)
    if not known.all():
        x, y = x[known], y[known]
    steps = np.diff(x)
    if (steps >= 0).all():
        return x, y
    if (steps <= 0).all():
        return x[::-1], y[::-1]
    order = np.argsort(x, kind="stable")
    return x[order], y[order]
