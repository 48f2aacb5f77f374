"""Markdown as lines of text for the screen; what it links to is not linked."""

from __future__ import annotations

import io

from rich.segment import Segment

from lthtui.heat import Line, Span
from lthtui.text import clean_line

MOST = 32 * 1024  # characters that are rendered


def lines(text: str, width: int) -> list[Line]:
    """Rendered Markdown of at most `width` cells a line."""
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(
        file=io.StringIO(), width=max(width, 10), color_system="truecolor", force_terminal=True
    )
    document = Markdown(text[:MOST], hyperlinks=False)
    found = console.render_lines(document, console.options, pad=False)
    return [tuple(_span(segment) for segment in line) for line in found]


def _span(segment: Segment) -> Span:
    """A piece of a line; entities such as `&#27;` may have put anything into it."""
    colour = segment.style.color if segment.style else None
    tone = "" if colour is None or colour.is_default else colour.get_truecolor().hex
    bold = bool(segment.style and segment.style.bold)
    return Span(clean_line(segment.text, 10 * MOST), tone, bold=bold)
