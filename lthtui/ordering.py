"""Sorting as people type it: what is meant, and what could be typed next."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lthtui import fields, views
from lthtui.fields import Misread
from lthtui.text import clean_line
from lthtui.views import Order


@dataclass(frozen=True)
class Part:
    """A name between commas; `begin` and `end` are where it stands, without a `-` before it."""

    begin: int
    end: int
    name: str


def part(text: str, cursor: int) -> Part:
    """The name that is typed at a place of a text."""
    found = Part(len(text), len(text), "")
    for at, (column, name) in enumerate(fields.split(text)):
        if at and column > cursor + 1:
            break
        bare = name.removeprefix("-").lstrip()
        end = column - 1 + len(name)
        found = Part(end - len(bare), end, bare)
    return found


def completed(text: str, cursor: int, name: str) -> tuple[str, int]:
    """The text with the name that is typed there in full, and where it ends."""
    found = part(text, cursor)
    end = found.begin + len(name)
    return text[: found.begin] + name + text[found.end :], end


def said(order: Sequence[Order]) -> str:
    """An order in words."""
    if not order:
        return "the newest first, controls under what they control"
    words = (
        f"{clean_line(one.field.name)}, {'largest' if one.descending else 'smallest'} first"
        for one in order
    )
    return "; then ".join(words)


def read(text: str, known: Collection[str]) -> tuple[tuple[Order, ...] | None, str]:
    """The order that a text means, with what it means or why it means nothing.

    Args:
        known: the names of fields that there are.
    """
    try:
        order = views.orders(text, known)
    except Misread as error:
        return None, str(error)
    return order, said(order)
