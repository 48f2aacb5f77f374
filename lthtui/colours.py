"""Colours that a colour-blind reader can tell apart, the same for a group in every session.

The cycle is that of Okabe & Ito 2008, "Color Universal Design", without black.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

PALETTE = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#f0e442", "#0072b2")


def colours(ids: Iterable[str]) -> dict[str, str]:
    """Give each id the colour of its hash, or the next free one while there are free ones.

    An id's colour depends on itself and on the ids before it: a new id at the end moves none.
    """
    given: dict[str, str] = {}
    for name in ids:
        if name not in given:
            given[name] = _free(_slot(name), set(given.values()))
    return given


def _slot(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % len(PALETTE)


def _free(slot: int, taken: set[str]) -> str:
    turns = [PALETTE[(slot + turn) % len(PALETTE)] for turn in range(len(PALETTE))]
    return next((colour for colour in turns if colour not in taken), turns[0])
