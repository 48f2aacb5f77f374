"""Colours that a colour-blind reader can tell apart, the same for a group in every session.

The cycle is that of Okabe & Ito 2008, "Color Universal Design", without black.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

YELLOW = "#f0e442"
PALETTE = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", YELLOW, "#0072b2")


def colours(ids: Iterable[str]) -> dict[str, str]:
    """Give each id the colour of its hash, or the next of those that fewest ids have.

    An id's colour depends on itself and on the ids before it: a new id at the end moves none.
    """
    given: dict[str, str] = {}
    uses = dict.fromkeys(PALETTE, 0)
    for name in ids:
        if name not in given:
            given[name] = _least_used(_slot(name), uses)
            uses[given[name]] += 1
    return given


def _slot(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % len(PALETTE)


def _least_used(slot: int, uses: Mapping[str, int]) -> str:
    return min((*PALETTE[slot:], *PALETTE[:slot]), key=uses.__getitem__)
