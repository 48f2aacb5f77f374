"""Titles in the borders of boxes."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget


def entitle(box: Widget, title: str) -> None:
    """Give a box a title; one that it has already is left, as any title draws all of the box."""
    content = Content(title)
    if box.border_title != content.markup:
        box.border_title = content
