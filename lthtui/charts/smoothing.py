"""The exponential moving average, without the pull towards its start.

With `alpha = 1 - 2 ** (-1 / half_life)`, the smoothed value at point `t` is

    sum over i <= t of (1 - alpha) ** (t - i) * y[i]  /  sum over i <= t of (1 - alpha) ** (t - i)

so a point counts half as much as one that came `half_life` points later, and the first smoothed
value is the first value. Points that are no numbers count nothing and stay what they are.
"""

from __future__ import annotations

import numpy as np

from lthtui.charts.axes import Floats

BLOCK = 128  # points that one product of matrices averages


def smoothed(y: Floats, half_life: float) -> Floats:
    """The average at each of (n,) points.

    Args:
        half_life: in points, above 0.
    """
    finite = np.isfinite(y)
    decay = 2.0 ** (-1 / half_life)
    total = _decayed(np.where(finite, y, 0.0), decay)
    weight = _decayed(finite.astype(np.float64), decay)
    return np.divide(total, weight, out=y.copy(), where=finite)


def _decayed(values: Floats, decay: float) -> Floats:
    """Running sums in which all that came before fades by `decay` at each point."""
    blocks = -(-len(values) // BLOCK)
    table = np.zeros((blocks, BLOCK))
    table.reshape(-1)[: len(values)] = values
    age = np.arange(BLOCK)
    lag = age[:, None] - age
    table @= np.where(lag >= 0, decay ** np.maximum(lag, 0.0), 0.0).T
    carried, carry = np.zeros(blocks), 0.0
    for block, last in enumerate(table[:, -1].tolist()):
        carried[block] = carry
        carry = last + decay**BLOCK * carry
    table += carried[:, None] * decay ** (age + 1.0)
    return table.reshape(-1)[: len(values)]
