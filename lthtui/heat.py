"""Shares of 1 as colours, blocks and bars that can be read with and without colour.

The colours are those of viridis (matplotlib): brighter is more, also for colour-blind readers and
in grey.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass

from rich.color import Color

ANCHORS = (
    "#440154",
    "#472d7b",
    "#3b528b",
    "#2c728e",
    "#21918c",
    "#28ae80",
    "#5ec962",
    "#addc30",
    "#fde725",
)
BLOCKS = "▁▂▃▄▅▆▇█"
LABEL = 10  # cells of the label of a fact
BARS = " ▏▎▍▌▋▊▉█"
DARK, BRIGHT = "#101014", "#f4f4f8"


@dataclass(frozen=True)
class Span:
    """A text for the screen, already cleaned.

    Attributes:
        tone: as of a `table.Cell`; `paper` is the colour behind it, `#rrggbb` or empty.
        link: the address that it leads to in terminals that can open one.
        exact: whether the tone is a colour that is itself what is shown, as a pixel's, and stays
            as it is on whatever paper.
    """

    text: str
    tone: str = ""
    paper: str = ""
    bold: bool = False
    link: str = ""
    exact: bool = False


Line = tuple[Span, ...]


def wrapped(text: str, width: int, tone: str = "dim") -> list[Line]:
    """A text, cleaned before, as lines of at most this width."""
    return [
        (Span(line, tone),)
        for line in textwrap.wrap(text, max(width, 10), break_on_hyphens=False) or [""]
    ]


def fact(label: str, text: str, width: int, tone: str = "", link: str = "") -> list[Line]:
    """A label and what stands behind it, cleaned before, on as many lines as it needs."""
    parts = textwrap.wrap(text, max(width - LABEL, 10), break_on_hyphens=False) or [""]
    heads = [label, *[""] * (len(parts) - 1)]
    return [
        (Span(f"{head:<{LABEL}}", "dim"), Span(part, tone, link=link))
        for head, part in zip(heads, parts, strict=True)
    ]


def colour(share: float) -> str:
    """The colour of a share from 0 to 1, `#rrggbb`."""
    at = min(max(share, 0.0), 1.0) * (len(ANCHORS) - 1)
    low = min(int(at), len(ANCHORS) - 2)
    one, two = (Color.parse(ANCHORS[low + step]).get_truecolor() for step in (0, 1))
    mixed = (round(a + (b - a) * (at - low)) for a, b in zip(one, two, strict=True))
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def painted(text: str, share: float | None) -> Span:
    """A text on the colour of a share; on none where that is not known."""
    if share is None:
        return Span(text, "dim")
    paper = colour(share)
    red, green, blue = Color.parse(paper).get_truecolor()
    bright = 0.299 * red + 0.587 * green + 0.114 * blue > 110
    return Span(text, DARK if bright else BRIGHT, paper)


def block(share: float, width: int = 1) -> Span:
    """Blocks as high as a share from 0 to 1, in its colour."""
    sign = BLOCKS[min(int(max(share, 0.0) * len(BLOCKS)), len(BLOCKS) - 1)]
    return Span(sign * width, colour(0.2 + 0.8 * share))


def bar(share: float, width: int) -> Span:
    """A bar as long as a share of `width` cells, in its colour; never invisible above 0."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    eighths = max(eighths, 1) if share > 0 else 0
    text = "█" * (eighths // 8) + BARS[eighths % 8].strip()
    return Span(text.ljust(width), colour(0.2 + 0.8 * share))


def logarithmic(value: float, least: float) -> float:
    """Where a value from `least` to 1 is on a logarithmic scale, from 0 to 1."""
    if value >= 1 or least >= 1:
        return 1.0 if value >= 1 else 0.0
    return min(max(1 - math.log(max(value, least)) / math.log(least), 0.0), 1.0)
