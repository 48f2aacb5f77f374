"""Lines of a log on the screen: coloured by what they say, wrapped or not, matches marked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from lthtui.loglines import LogLine, parts
from lthtui.widgets.tones import tone

if TYPE_CHECKING:
    from lthtui.logsearch import Needle

Row = tuple[int, int, int]  # which line, and which part of it


class Lines(ScrollView, can_focus=True):
    """Draws what it is given.

    Args:
        moved: is called when somebody scrolled.
        resized: is called when there is another number of rows or columns.

    Attributes:
        wrap: whether lines that are too long go on below.
        needle: what is marked.
        chosen: where the line begins whose matches stand out.
    """

    BINDINGS = [
        Binding("up,k", "scroll_up", "Up", show=False, id="log.up"),
        Binding("down,j", "scroll_down", "Down", show=False, id="log.down"),
        Binding("left,h", "scroll_left", "Left", show=False, id="log.left"),
        Binding("right,l", "scroll_right", "Right", show=False, id="log.right"),
        Binding("pageup", "page_up", "Page up", show=False, id="log.page_up"),
        Binding("pagedown", "page_down", "Page down", show=False, id="log.page_down"),
    ]

    # one more line is no reason to lay out the whole screen anew, as Textual has it
    virtual_size: Reactive[Size] = Reactive(Size(0, 0))

    def __init__(self, moved: Callable[[], None], resized: Callable[[], None]) -> None:
        super().__init__()
        self._moved, self._resized = moved, resized
        self._lines: Sequence[LogLine] = ()
        self._rows: Sequence[Row] = ()
        self._first: Sequence[int] = ()  # the row where each line begins
        self._placing = False
        self._under = Style()  # while lines are drawn
        self.wrap = False
        self.needle: Needle | None = None
        self.chosen: int | None = None

    @property
    def top(self) -> int:
        """Where the line begins that is the first in view; 0 without lines."""
        at = self._rows[self.scroll_offset.y :][:1]
        return self._lines[at[0][0]].start if at else 0

    @property
    def above(self) -> int:
        """How many rows are above those in view."""
        return self.scroll_offset.y

    @property
    def below(self) -> int:
        """How many rows are below those in view."""
        return len(self._rows) - self.scroll_offset.y - self.size.height

    def show(self, lines: Sequence[LogLine], top: int | None) -> None:
        """Show lines; one that begins at `top` or behind it comes first, None for the last row."""
        self._lines = lines
        if self.wrap:
            split = (self._split(at, line.text) for at, line in enumerate(lines))
            self._rows = [row for rows in split for row in rows]
            self._first = [at for at, row in enumerate(self._rows) if not row[1]]
        else:
            self._rows = [(at, 0, len(line.text)) for at, line in enumerate(lines)]
            self._first = range(len(lines))
        width = 0 if self.wrap else max((_width(line.text) for line in lines), default=0)
        self._placing = True
        self.virtual_size = Size(width, len(self._rows))
        if top is None:
            self.scroll_end(animate=False, force=True, immediate=True)
        else:
            self.scroll_to(y=self._row(top), animate=False, force=True, immediate=True)
        self._placing = False
        self.refresh()

    def reveal(self, start: int) -> None:
        """Bring a line into view, if it is not."""
        row = self._row(start)
        if not 0 <= row - self.scroll_offset.y < self.size.height:
            self.scroll_to(
                y=max(row - self.size.height // 3, 0), animate=False, force=True, immediate=True
            )

    def watch_virtual_size(self, size: Size) -> None:
        """Have the bars at the sides fit."""
        self._scroll_update(size)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Tell who has to know."""
        super().watch_scroll_y(old_value, new_value)
        if not self._placing:
            self._moved()

    def on_resize(self) -> None:
        """Tell who has to know."""
        self._resized()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw what is to be seen now, on a ground that is found once for all lines."""
        self._under = self.rich_style
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        left, top = self.scroll_offset
        segments = [
            segment for row in self._rows[y + top : y + top + 1] for segment in self._segments(row)
        ]
        strip = Strip(segments).crop_extend(left, left + self.size.width, self._under)
        return strip.apply_style(self._under)

    def _row(self, start: int) -> int:
        """The row where the line begins that is at a byte, or else the first one behind it."""
        at = bisect_right(self._lines, start - 1, key=lambda line: line.start)
        return self._first[at] if at < len(self._first) else max(len(self._rows) - 1, 0)

    def _split(self, at: int, text: str) -> list[Row]:
        width = max(self.size.width, 10)
        if _width(text) <= width:
            return [(at, 0, len(text))]
        rows, begin = [], 0
        for piece in chop_cells(text, width):
            rows.append((at, begin, begin + len(piece)))
            begin += len(piece)
        return rows

    def _segments(self, row: Row) -> list[Segment]:
        """A row with the tones of its parts, and marks on what was looked for."""
        at, first, last = row
        line = self._lines[at]
        marks = self.needle.spans(line.text) if self.needle else []
        mark = Style(reverse=True, bold=line.start == self.chosen, dim=line.start != self.chosen)
        found = []
        for begin, end, name in parts(line):
            plain = tone(self, name)
            cuts = [cut for span in marks for cut in span if begin < cut < end]
            edges = [begin, *cuts, end]
            for one, other in zip(edges, edges[1:], strict=False):
                one, other = max(one, first), min(other, last)
                if one < other:
                    marked = any(low <= one < high for low, high in marks)
                    found.append(Segment(line.text[one:other], plain + mark if marked else plain))
        return found


def _width(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)
