"""Text that grows, such as a log: it follows what is written until somebody scrolls up."""

from __future__ import annotations

import textwrap

from rich.cells import cell_len
from rich.segment import Segment
from textual.binding import Binding
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from lthtui.logtail import Chunk

MOST = 5000  # lines kept


class LogView(ScrollView, can_focus=True):
    """Lines of text; `follow` keeps the newest in view, `wrap` breaks long lines."""

    BINDINGS = [
        Binding("up,k", "scroll_up", "Up", show=False, id="log.up"),
        Binding("down,j", "scroll_down", "Down", show=False, id="log.down"),
        Binding("left,h", "scroll_left", "Left", show=False, id="log.left"),
        Binding("right,l", "scroll_right", "Right", show=False, id="log.right"),
        Binding("pageup", "page_up", "Page up", show=False, id="log.page_up"),
        Binding("pagedown", "page_down", "Page down", show=False, id="log.page_down"),
        Binding("home,g", "scroll_home", "First line", show=False, id="log.first"),
        Binding("end,G", "scroll_end", "Last line, follow", show=False, id="log.last"),
    ]

    def __init__(self, follow: bool = True, wrap: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self._follow, self._wrap = follow, wrap
        self._lines: list[str] = []
        self._at_end = True

    def show(self, chunk: Chunk) -> None:
        """Add lines, or begin anew; the last line may replace one that was not complete."""
        kept = [] if chunk.fresh else self._lines[: len(self._lines) - chunk.replaces]
        new = [part for line in chunk.lines for part in self._parts(line)]
        self._lines = [*kept, *new][-MOST:]
        width = max(map(cell_len, self._lines), default=0)
        self.virtual_size = Size(width, len(self._lines))
        self._at_end = self._at_end or chunk.fresh
        if self._follow and self._at_end:
            self.scroll_end(animate=False, force=True)
        elif chunk.fresh:
            self.scroll_home(animate=False, force=True)
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Stop following when somebody scrolls up, and follow again at the end."""
        super().watch_scroll_y(old_value, new_value)
        if new_value >= self.max_scroll_y:  # also where a larger view moves the end up
            self._at_end = True
        elif new_value < old_value:
            self._at_end = False

    def on_resize(self) -> None:
        """Keep the newest in view."""
        if self._follow and self._at_end:
            self.scroll_end(animate=False, force=True)

    def _parts(self, line: str) -> list[str]:
        """A line, or what it becomes when it must not be wider than the view."""
        if not self._wrap or cell_len(line) <= self.size.width:
            return [line]
        return textwrap.wrap(line, max(self.size.width, 10), subsequent_indent="  ") or [""]

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        left, top = self.scroll_offset
        width = self.size.width
        lines = self._lines[y + top : y + top + 1]
        strip = Strip([Segment(line.expandtabs(4)) for line in lines])
        strip = strip.crop_extend(left, left + width, self.rich_style)
        return strip.apply_style(self.rich_style)
