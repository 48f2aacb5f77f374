"""ASCII for every sign that is shown, for terminals and fonts that have nothing else.

Signs that can stand in one place and mean different things become different ones.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from rich.cells import cell_len

SIGNS = str.maketrans(
    {
        "●": "*",
        **dict.fromkeys("◌○◉", "o"),
        **dict.fromkeys("■□", "#"),
        "✓": "v",
        "✗": "X",
        "‖": "=",
        "◆": "@",
        "◇": "&",
        **dict.fromkeys("▲△↑", "^"),
        **dict.fromkeys("▼▾↓", "v"),
        **dict.fromkeys("▶▸→", ">"),
        **dict.fromkeys("◀←", "<"),
        "…": "~",
        "±": "+",
        "×": "x",
        "≈": "~",
        "°": "'",
        "└": "`",
        **dict.fromkeys("·┄┅┈", "."),
        **dict.fromkeys("–−—╌╍─▔▁▂", "-"),
        **dict.fromkeys("━▃▄▅", "="),
        **dict.fromkeys("╸╺", " "),
        **dict.fromkeys("│┃▏▎▍▌▊▐▕", "|"),
        **dict.fromkeys("▀▆▇█▋▉▓", "#"),
        **dict.fromkeys("░▒", ":"),
    }
)


@lru_cache(4096)
def plain(text: str) -> str:
    """A text in ASCII that takes as many cells."""
    return "".join(
        one if one.isascii() else _letter(one).ljust(cell_len(one), "?")[: cell_len(one)]
        for one in text.translate(SIGNS)
    )


def wider(text: str) -> str:
    """A text with two signs for `±`, of which `+` alone would tell of a sum; the rest is left."""
    return text.replace("±", "+-")


def spelled(text: str) -> str:
    """A text in ASCII where `±` may take two cells."""
    return plain(wider(text))


def line(texts: Sequence[str]) -> list[str]:
    """The texts of a line in ASCII, in as many cells.

    What is behind a `±` moves to the right, up to the next of two blanks or the end of the line.
    """
    whole = "".join(texts)
    wide, gone = _room(whole)
    made, at = [], 0
    for text in texts:
        signs = enumerate(text, at)
        kept = (wider(one) if place in wide else one for place, one in signs if place not in gone)
        made.append(plain("".join(kept)))
        at += len(text)
    return made


def _room(text: str) -> tuple[set[int], set[int]]:
    """Where each `±` is that can take two cells, and the blanks that it has them from."""
    wide, gone = set[int](), set[int]()
    spare = [at for at, one in enumerate(text) if one == " " and text[at + 1 : at + 2] in ("", " ")]
    for at in (at for at, one in enumerate(text) if one == "±"):
        blank = next((one for one in spare if one > at and one not in gone), None)
        if blank is not None:
            wide.add(at)
            gone.add(blank)
    return wide, gone


def _letter(sign: str) -> str:
    """A letter without its accents; a corner or crossing of lines as a plus."""
    if "\u2500" <= sign <= "\u257f":
        return "+"
    stripped = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return stripped[:1] or "?"
