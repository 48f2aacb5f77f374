"""A grid of character cells with two colours each, and its conversion to runs of styled text."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style

from lthtui.charts.axes import Floats
from lthtui.charts.raster import BRAILLE, Cells
from lthtui.legible import channels

Row = list[tuple[str, Style]]
NONE = -1
FAINT_LINE = -2
BOLD = 1 << 24
_DOTS = np.array([" ", *(chr(BRAILLE + bits) for bits in range(1, 256))])


def packed(colour: str, bold: bool = False) -> int:
    """A `#rrggbb` colour as the number that the canvas stores."""
    return int(colour[1:], 16) | (BOLD if bold else 0)


@lru_cache(4096)
def style(ink: int, paper: int = NONE) -> Style:
    """The style of packed colours; NONE leaves the terminal's own."""
    return Style(
        color=_colour(ink) if ink != NONE else None,
        bgcolor=_colour(paper) if paper != NONE else None,
        bold=True if ink != NONE and ink & BOLD else None,
    )


class Canvas:
    """(height, width) cells: dots, or else a glyph, over a paper that has two halves."""

    def __init__(self, width: int, height: int) -> None:
        self.dots: Cells = np.zeros((height, width), np.uint8)
        self._owner = np.full((height, width), NONE, np.int32)  # line whose dots are in front
        self._rank = np.zeros((height, width), np.int8)
        self.glyph = np.full((height, width), " ", "<U1")
        self.ink = np.full((height, width), NONE, np.int32)
        self._tint: Floats = np.zeros((2 * height, width, 3))
        self._tinted = np.zeros((2 * height, width), bool)

    def line(self, dots: Cells, ink: int, owner: int = NONE, rank: int = 0) -> None:
        """Add dots; a cell shared with earlier lines keeps theirs and takes this ink.

        Those of lines of a lower rank are dropped, as this ink would make them seem this line's.
        """
        where = dots > 0
        self.dots[where & (self._rank < rank)] = 0
        self._rank[where] = rank
        self.dots |= dots
        self.ink[where], self._owner[where] = ink, owner

    def put(self, row: int, column: int, glyph: str, ink: int) -> None:
        """Place a glyph in front of everything else; outside the canvas it is dropped."""
        if 0 <= row < self.dots.shape[0] and 0 <= column < self.dots.shape[1]:
            self.dots[row, column], self.ink[row, column] = 0, ink
            self.glyph[row, column] = glyph

    def behind(self, where: NDArray[np.bool_], glyph: str, ink: int) -> None:
        """Fill those of the cells that hold nothing yet."""
        empty = where & (self.dots == 0) & (self.glyph == " ")
        self.glyph[empty], self.ink[empty] = glyph, ink

    def tint(self, halves: NDArray[np.bool_], colour: str, paper: str, share: float) -> None:
        """Mix a colour into the (2 * height, width) half cells of the paper."""
        base = np.where(self._tinted[halves][:, None], self._tint[halves], channels(paper))
        self._tint[halves] = base * (1 - share) + np.array(channels(colour)) * share
        self._tinted |= halves

    @property
    def shaded(self) -> NDArray[np.bool_]:
        """Cells of which at least a half is tinted."""
        return self._tinted[::2] | self._tinted[1::2]

    def spell(self, letters: str) -> None:
        """Replace dots by a letter for each line, a dot for faint ones, a dash for the others."""
        where = self.dots > 0
        names = np.array([*letters, ".", "-"])  # indexed from the end by FAINT_LINE and NONE
        owner = np.where(self._owner < 0, self._owner, self._owner % len(letters))
        self.glyph[where], self.dots[where] = names[owner[where]], 0

    def characters(self) -> list[str]:
        """The rows without colours."""
        drawn = np.where(self.dots > 0, _DOTS[self.dots], self.glyph)
        return ["".join(row) for row in drawn.tolist()]

    def rows(self, halves: bool = True) -> list[Row]:
        """The rows as runs of one style.

        Args:
            halves: whether there are characters for cells of which a half is tinted.
        """
        upper, lower = self._papers()
        paper = np.maximum(upper, lower)  # under dots, a half-tinted cell is tinted
        plain = (self.dots == 0) & (self.glyph == " ")
        split = plain & (upper != lower) & halves
        glyph = np.where(split & (upper != NONE), "▀", np.where(split, "▄", self.glyph))
        ink = np.where(split, np.where(upper != NONE, upper, lower), self.ink)
        ink[plain & ~split] = NONE
        paper = np.where(split, np.where(upper != NONE, lower, NONE), paper)
        characters = np.where(self.dots > 0, _DOTS[self.dots], glyph)
        return [_runs(*row) for row in zip(characters, ink, paper, strict=True)]

    def _papers(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        channels = np.rint(self._tint).astype(np.int32)
        colour = channels[..., 0] << 16 | channels[..., 1] << 8 | channels[..., 2]
        colour = np.where(self._tinted, colour, NONE).astype(np.int32)
        return colour[::2], colour[1::2]


def _runs(characters: NDArray[np.str_], ink: NDArray[np.int32], paper: NDArray[np.int32]) -> Row:
    """Cut a row where a colour changes."""
    cuts = np.flatnonzero((ink[1:] != ink[:-1]) | (paper[1:] != paper[:-1])) + 1
    starts = [0, *cuts.tolist()] if characters.size else []
    text = "".join(characters.tolist())
    inks, papers = ink[starts].tolist(), paper[starts].tolist()
    ends = [*starts[1:], len(text)]
    return [
        (text[start:end], style(one, other))
        for start, end, one, other in zip(starts, ends, inks, papers, strict=True)
    ]


@lru_cache(1024)
def _colour(value: int) -> Color:
    return Color.from_rgb(value >> 16 & 255, value >> 8 & 255, value & 255)
