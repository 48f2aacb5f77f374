"""What a table on screen is made of: columns, rows and cells, as plain values."""

from __future__ import annotations

from typing import NamedTuple


class Column(NamedTuple):
    """A column: `rank` says how early it gives way in a narrow table, 0 never does.

    The column of rank 0 takes the width that the others leave. `width` is in cells, 0 for as much
    as it needs.
    """

    title: str
    rank: int
    right: bool = False
    width: int = 0


class Cell(NamedTuple):
    """A text for the screen, already cleaned, and its tone: a status, `dim`, or `#rrggbb`."""

    text: str
    tone: str = ""


NOTHING = Cell("–", "dim")


class Row(NamedTuple):
    """A row known by its key; `fold` is `▾`, `▸` or empty, `depth` its indentation."""

    key: str
    cells: tuple[Cell, ...]
    depth: int = 0
    fold: str = ""
