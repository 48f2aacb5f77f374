"""Everything on the screen in ASCII, for terminals and fonts that have nothing else."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter
from textual.keys import KEY_DISPLAY_ALIASES

from lthtui.signs import plain


class Plain(LineFilter):
    """Replaces every sign by an ASCII one of the same width."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Replace what is not ASCII in a line."""
        return [
            one if one.text.isascii() else Segment(plain(one.text), one.style, one.control)
            for one in segments
        ]


def named(key: str) -> str:
    """A key as it is shown, such as `shift+←`, by its name instead of a sign."""
    for name, sign in KEY_DISPLAY_ALIASES.items():
        key = key if sign.isascii() else key.replace(sign, name)
    return key
