"""Matrices that stand in JSON documents, as pictures: the brighter, the more."""

from __future__ import annotations

from typing import Any

from lthtui.heat import colour
from lthtui.picture import SIDE, Picture

GREY = "#808080"  # of what is not known
LEAST = 6  # rows and columns of a matrix that says more as a picture than as numbers
LARGEST = 1e300  # of a number that has a shade
GROWN = 48  # pixels that a small matrix is made as wide as


def parted(document: Any) -> tuple[Any, dict[str, Picture]]:
    """A document with its matrices left out, and these, by the keys that lead to them.

    A matrix is a list of rows of one length, of numbers and null.
    """
    found: dict[str, Picture] = {}

    def left(value: Any, at: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {key: left(one, (*at, str(key))) for key, one in value.items()}
        if not _is_matrix(value):
            return value
        low, high = _bounds(value)
        found[".".join(at)] = _picture(value, low, high)
        return f"{len(value)} × {len(value[0])} matrix, from {low:.3g} (dark) to {high:.3g}"

    return left(document, ()), found


def _is_matrix(value: Any) -> bool:
    rows = value if isinstance(value, list) and LEAST <= len(value) <= SIDE else ()
    widths = {len(row) if isinstance(row, list) else 0 for row in rows}
    if len(widths) != 1 or not LEAST <= max(widths) <= SIDE:
        return False
    known = [one for row in rows for one in row if one is not None]
    numbers = (isinstance(one, int | float) and abs(one) < LARGEST for one in known)
    return bool(known) and all(numbers)


def _bounds(rows: list[list[float | None]]) -> tuple[float, float]:
    known = [one for row in rows for one in row if one is not None]
    return min(known), max(known)


def _picture(rows: list[list[float | None]], low: float, high: float) -> Picture:
    """Squares, at least a pixel wide each."""
    side = max(GROWN // len(rows[0]), 1)
    span = high - low or 1.0
    shades = [[GREY if one is None else colour((one - low) / span) for one in row] for row in rows]
    lines = ["".join(shade[1:] * side for shade in row) * side for row in shades]
    size = len(rows[0]) * side, len(rows) * side
    return Picture(*size, size, bytes.fromhex("".join(lines)))
