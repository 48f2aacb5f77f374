"""A grid of character cells with two colours each, and its conversion to runs of styled text."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style

from lthtui.charts.axes import Floats
from lthtui.charts.raster import BRAILLE, Cells

Row = list[tuple[str, Style]]
NONE = -1
FAINT_LINE = -2
BOLD = 1 << 24
LEGIBLE = 3.0  # contrast that the Web's guidelines ask of graphics
_DOTS = np.array([" ", *(chr(BRAILLE + bits) for bits in range(1, 256))])


def packed(colour: str, bold: bool = False) -> int:
    """A `#rrggbb` colour as the number that the canvas stores."""
    return int(colour[1:], 16) | (BOLD if bold else 0)


def mix(colour: str, other: str, share: float) -> str:
    """`share` of one `#rrggbb` colour and the rest of another."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in pairs)


@lru_cache(1024)
def legible(colour: str, paper: str) -> str:
    """The colour itself, or the first mix with black or white that contrasts with the paper."""
    away = "#000000" if _luminance(paper) > 0.18 else "#ffffff"
    mixes = (mix(away, colour, share / 20) for share in range(20))
    return next((one for one in mixes if _contrast(one, paper) >= LEGIBLE), away)


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
        base = np.where(self._tinted[halves][:, None], self._tint[halves], _channels(paper))
        self._tint[halves] = base * (1 - share) + np.array(_channels(colour)) * share
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


def _contrast(colour: str, other: str) -> float:
    """The ratio of luminances by which the Web's guidelines measure contrast: 1 to 21."""
    high, low = sorted((_luminance(colour), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    shares = (channel / 255 for channel in _channels(colour))
    linear = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares)
    return sum(part * one for part, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@lru_cache(1024)
def _colour(value: int) -> Color:
    return Color.from_rgb(value >> 16 & 255, value >> 8 & 255, value & 255)
