"""What the tones of cells look like in the theme in use."""

from __future__ import annotations

from rich.style import Style
from textual.color import Color
from textual.widget import Widget

from lthtui.legible import legible

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
    "scarce": "warning",
    "ample": "success",
}


def tone(widget: Widget, name: str, bold: bool = False, under: str = "") -> Style:
    """The style of a tone: a name of `THEMED`, `dim`, a `#rrggbb`, or empty for plain text.

    It can be told from what the widget is drawn on, or from the colour `under` it, `#rrggbb`.
    """
    if not name:
        return Style(bold=bold)
    paper, ink = ground(widget)
    colour = paper.blend(ink, 0.6, 1.0) if name == "dim" else _colour(widget, name)
    if colour.ansi is not None:  # what it looks like is up to the terminal
        return Style(color=colour.rich_color, bold=bold)
    return Style(color=legible(_hex(colour), under or _hex(paper)), bold=bold)


def laid(style: Style, over: Style) -> Style:
    """The style of text on another paper, as that of a cursor, where it has to be seen, too."""
    paper, ink = over.bgcolor, style.color
    if paper is None or ink is None or paper.triplet is None or ink.triplet is None:
        return style + over
    return style + over + Style(color=legible(ink.triplet.hex, paper.triplet.hex))


def ground(widget: Widget) -> tuple[Color, Color]:
    """What a widget is drawn on, and with; a terminal's own colours count as black and white."""
    if widget.app.current_theme.ansi:
        paper, ink = (_colour(widget, f"ansi-{one}") for one in ("background", "foreground"))
        return Color(*paper.rgb), Color(*ink.rgb)
    _, _, paper, ink = widget.colors
    return paper, ink


def _hex(colour: Color) -> str:
    """As `#rrggbb`."""
    return colour.hex6.lower()


def _colour(widget: Widget, name: str) -> Color:
    variables = widget.app.theme_variables
    return Color.parse(variables.get(THEMED.get(name, name), name))
