"""Texts in columns that are too narrow for them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from os.path import commonprefix

from rich.cells import cell_len, set_cell_size

SHORT = 5  # characters of a last word that is never cut off


def fitted(text: str, width: int, right: bool) -> str:
    """A text cut or filled up to a width in cells."""
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - size) + text if right else text + " " * (width - size)


def shortened(text: str, width: int) -> str:
    """A name that is too long loses its middle: the end of it says which seed, or how many."""
    end = _end(text)
    if cell_len(text) <= width or not end or width < 2 * len(end):
        return text
    return f"{set_cell_size(text, width - cell_len(end) - 1)}…{end}"


def apart(names: Iterable[str]) -> int:
    """The width at which names that are shortened can still be told apart."""
    alike: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        alike.setdefault(_end(name), []).append(name)
    return max(
        (
            len(commonprefix((one, other))) + 2 + len(end)
            for end, group in alike.items()
            for one, other in pairwise(group)
        ),
        default=0,
    )


def _end(name: str) -> str:
    """The last word of a name with the space before it, if it is short."""
    _, space, last = name.rstrip().rpartition(" ")
    return space + last if space and last and len(last) <= SHORT else ""
