"""Everything on the screen in ASCII, for terminals and fonts that have nothing else."""

from __future__ import annotations

from rich.segment import Segment
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter
from textual.keys import KEY_DISPLAY_ALIASES

from lthtui import signs


class Plain(LineFilter):
    """Writes lines in ASCII, in as many cells."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Replace what is not ASCII in a line."""
        if all(one.text.isascii() for one in segments):
            return segments
        texts = signs.line([one.text for one in segments])
        return [
            Segment(text, one.style, one.control) for text, one in zip(texts, segments, strict=True)
        ]


def asked(app: App[object]) -> bool:
    """Whether everything is to be in ASCII."""
    return any(isinstance(one, Plain) for one in app.get_line_filters())


def named(key: str) -> str:
    """A key as it is shown, such as `shift+←`, by its name instead of a sign."""
    for name, sign in KEY_DISPLAY_ALIASES.items():
        key = key if sign.isascii() else key.replace(sign, name)
    return key
