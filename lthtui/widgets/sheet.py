"""Lines of coloured text that are made for the width there is, such as a preview or a map."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from lthtui.heat import Line, Span, wrapped
from lthtui.widgets.tones import tone

Make = Callable[[int], Sequence[Line]]


class Sheet(ScrollView, can_focus=True):
    """Shows what `make(width)` gives; `show` may be called with what is shown already."""

    BINDINGS = [
        Binding("up,k", "scroll_up", "Up", show=False, id="sheet.up"),
        Binding("down,j", "scroll_down", "Down", show=False, id="sheet.down"),
        Binding("left,h", "scroll_left", "Left", show=False, id="sheet.left"),
        Binding("right,l", "scroll_right", "Right", show=False, id="sheet.right"),
        Binding("pageup", "page_up", "Page up", show=False, id="sheet.page_up"),
        Binding("pagedown", "page_down", "Page down", show=False, id="sheet.page_down"),
        Binding("home,g", "scroll_home", "First line", show=False, id="sheet.first"),
        Binding("end,G", "scroll_end", "Last line", show=False, id="sheet.last"),
    ]

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._make: Make = _nothing
        self._lines: Sequence[Line] = ()

    def show(self, make: Make, top: bool = False) -> None:
        """Show other lines; from their first one if they are about something else (`top`)."""
        self._make = make
        self._fill()
        if top:
            self.scroll_home(animate=False, force=True)

    def show_failure(self, said: str) -> None:
        """Show, instead of lines, why there are none; cleaned before."""
        self.show(lambda width: wrapped(said, width, "failed"), top=True)

    def on_resize(self) -> None:
        """Make the lines anew for another width."""
        self._fill()

    def _fill(self) -> None:
        room = self.scrollable_content_region.width  # beside the place of the scrollbar
        if not room:
            return  # it has no place yet
        lines = self._make(room)
        if lines == self._lines:
            return
        self._lines = lines
        width = max((sum(cell_len(span.text) for span in line) for line in lines), default=0)
        self.virtual_size = Size(width, len(lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        left, top = self.scroll_offset
        lines = self._lines[y + top : y + top + 1]
        strip = Strip([self._segment(span) for line in lines for span in line])
        strip = strip.crop_extend(left, left + self.size.width, self.rich_style)
        return strip.apply_style(self.rich_style)

    def _segment(self, span: Span) -> Segment:
        if span.exact:
            return Segment(span.text, Style(color=span.tone, bgcolor=span.paper or None))
        style = tone(self, span.tone, span.bold, span.paper)
        if span.paper or span.link:
            style += Style(bgcolor=span.paper or None, link=span.link or None)
        return Segment(span.text, style)


def _nothing(width: int) -> Sequence[Line]:
    return ()
