"""Titles in the borders of boxes."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget


def entitle(box: Widget, title: str) -> None:
    """Give a box a title, and draw the line that it is in; Textual would draw all of the box."""
    content = Content(title).expand_tabs(4).split()[0]
    if box.border_title != content.markup:
        box._border_title = content
        top = Region(0, 0, box.outer_size.width, 1)
        box.refresh(top.translate(-box.content_offset))
