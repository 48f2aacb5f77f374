"""What the tones of cells look like in the theme in use."""

from __future__ import annotations

from rich.style import Style
from textual.widget import Widget

THEMED = {
    "running": "success",
    "queued": "warning",
    "finished": "accent",
    "failed": "error",
    "stopped": "foreground",
    "paused": "secondary",
    "lost": "error",
    "winning": "warning",
    "name": "primary",
}


def tone(widget: Widget, name: str, bold: bool = False) -> Style:
    """The style of a tone: a name of `THEMED`, `dim`, a `#rrggbb`, or empty for plain text."""
    if name == "dim":
        paper, ink = widget.background_colors[1], widget.styles.color
        return Style(color=paper.blend(ink, 0.6, 1.0).rich_color, bold=bold)
    colour = widget.app.theme_variables[THEMED[name]] if name in THEMED else name
    return Style(color=colour or None, bold=bold)
