"""ASCII for every sign that is shown, for terminals and fonts that have nothing else.

Signs that can stand in one place and mean different things become different ones.
"""

from __future__ import annotations

import unicodedata
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
        **dict.fromkeys("━╸╺▃▄▅", "="),
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


def spelled(text: str) -> str:
    """A text in ASCII where `±` may take two cells."""
    return plain(text.replace("±", "+-"))


def _letter(sign: str) -> str:
    """A letter without its accents; a corner or crossing of lines as a plus."""
    if "\u2500" <= sign <= "\u257f":
        return "+"
    stripped = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return stripped[:1] or "?"
