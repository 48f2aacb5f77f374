"""Everything on the screen in ASCII, for terminals and fonts that have nothing else."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

SIGNS = str.maketrans(
    {
        **dict.fromkeys("●◉▶", "*"),
        **dict.fromkeys("◌○◇□△·", "o"),
        **dict.fromkeys("◆■", "#"),
        "✓": "v",
        "✗": "x",
        "‖": "=",
        **dict.fromkeys("▲↑", "^"),
        **dict.fromkeys("▼▾↓", "v"),
        **dict.fromkeys("▸→", ">"),
        "←": "<",
        "…": "~",
        **dict.fromkeys("–−—╌┄┅┈╍━─▔▁▂", "-"),
        **dict.fromkeys("│┃▏▎▍▌▊▐▕", "|"),
        **dict.fromkeys("▃▄▅", "="),
        **dict.fromkeys("▀▆▇█▋▉▓", "#"),
        **dict.fromkeys("░▒", ":"),
        "±": "~",
        "×": "x",
        "≈": "~",
        "°": "'",
        "⏎": "^",
    }
)


class Plain(LineFilter):
    """Replaces every sign by an ASCII one of the same width."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Replace what is not ASCII in a line."""
        return [
            one if one.text.isascii() else Segment(plain(one.text), one.style, one.control)
            for one in segments
        ]


@lru_cache(4096)
def plain(text: str) -> str:
    """A text in ASCII that takes as many cells."""
    return "".join(
        one if one.isascii() else _letter(one).ljust(cell_len(one), "?")[: cell_len(one)]
        for one in text.translate(SIGNS)
    )


def _letter(sign: str) -> str:
    """A letter without its accents; a corner or crossing of lines as a plus."""
    if "\u2500" <= sign <= "\u257f":
        return "+"
    stripped = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return stripped[:1] or "?"
