"""A number of things, in words."""

from __future__ import annotations


def counted(number: float, noun: str) -> str:
    """`1 run`, `2 runs`, `1,000 runs`, `2.5 epochs`; for nouns that take an s."""
    shown = f"{number:,}" if isinstance(number, int) else f"{number:,.6g}"
    return f"{shown} {noun}{'' if number == 1 else 's'}"
