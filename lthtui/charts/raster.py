"""Polylines to braille dots: O(points) once, in numpy, however long the series.

A cell of braille is 2 dots wide and 4 high. Per dot column, the part of the polyline that runs
through it is a vertical stroke from its lowest to its highest value there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lthtui.charts.axes import Floats
from lthtui.charts.points import rising

Cells = NDArray[np.uint8]
Bitmap = NDArray[np.bool_]
BRAILLE = 0x2800
_WEIGHTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint8)


def polyline(x: Floats, y: Floats, width: int, height: int) -> Cells:
    """Draw a line through points; NaN in `y` is a gap.

    Args:
        x, y: (n,) positions as fractions of the plot, x from the left, y from the bottom.
        width, height: of the plot in cells.

    Returns:
        (height, width) dot patterns, to be added to the code point of empty braille.
    """
    columns, rows = 2 * width, 4 * height
    top, bottom = hull(x * (columns - 1), (1 - y) * (rows - 1), columns)
    return pack(_strokes(top, bottom, rows))


def hull(x: Floats, y: Floats, columns: int) -> tuple[Floats, Floats]:
    """The least and the greatest value of a line in each column.

    Args:
        x, y: (n,) points; x in columns, whose centres are the whole numbers.

    Returns:
        (columns,) each, NaN where the line isn't.
    """
    x, y = rising(x, y)
    low, high = _through_edges(x, y, columns)
    _take_points(x, y, low, high)
    return low, high


def level(y: float, width: int, height: int) -> Cells:
    """Draw a dashed horizontal line at a fraction `y` of the height."""
    bitmap = np.zeros((4 * height, 2 * width), bool)
    if 0 <= y <= 1:
        bitmap[round((1 - y) * (4 * height - 1)), np.arange(2 * width) % 6 < 3] = True
    return pack(bitmap)


def pack(bitmap: Bitmap) -> Cells:
    """Fold a (4h, 2w) bitmap into (h, w) dot patterns."""
    height, width = bitmap.shape[0] // 4, bitmap.shape[1] // 2
    cells = np.zeros((height, width), np.uint8)
    for row in range(4):
        for column in range(2):
            cells |= bitmap[row::4, column::2] * _WEIGHTS[row, column]
    return cells


def _through_edges(x: Floats, y: Floats, columns: int) -> tuple[Floats, Floats]:
    """Per dot column, the range between the line's heights at the column's two edges."""
    if x.size < 2:
        return np.full(columns, np.nan), np.full(columns, np.nan)
    edges = np.clip(np.arange(columns + 1) - 0.5, x[0], x[-1])
    left = np.clip(np.searchsorted(x, edges, side="right") - 1, 0, x.size - 2)
    span = x[left + 1] - x[left]
    share = np.divide(edges - x[left], span, out=np.zeros_like(edges), where=span > 0)
    heights = y[left] + share * (y[left + 1] - y[left])  # a gap's NaN spreads over its edges
    outside = (np.arange(columns) + 0.5 < x[0]) | (np.arange(columns) - 0.5 > x[-1])
    low = np.minimum(heights[:-1], heights[1:])
    high = np.maximum(heights[:-1], heights[1:])
    return np.where(outside, np.nan, low), np.where(outside, np.nan, high)


def _take_points(x: Floats, y: Floats, top: Floats, bottom: Floats) -> None:
    """Widen each column's range, in place, to the points that lie in it."""
    column = np.rint(x)
    inside = np.isfinite(y) & (column >= 0) & (column < top.size)
    column, y = column[inside].astype(np.int64), y[inside]
    if not column.size:
        return
    starts = np.flatnonzero(np.r_[True, column[1:] != column[:-1]])
    which = column[starts]
    top[which] = np.fmin(top[which], np.minimum.reduceat(y, starts))
    bottom[which] = np.fmax(bottom[which], np.maximum.reduceat(y, starts))


def _strokes(top: Floats, bottom: Floats, rows: int) -> Bitmap:
    """The bitmap of vertical strokes, cut at the plot's upper and lower end."""
    drawn = np.isfinite(top) & (np.rint(np.nan_to_num(bottom)) >= 0)
    drawn &= np.rint(np.nan_to_num(top)) < rows
    first = np.clip(np.rint(np.where(drawn, top, 0)), 0, rows - 1)
    last = np.clip(np.rint(np.where(drawn, bottom, 0)), 0, rows - 1)
    row = np.arange(rows)[:, None]
    bitmap: Bitmap = drawn & (row >= first) & (row <= last)
    return bitmap
