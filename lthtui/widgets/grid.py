"""A table that draws only what is visible; its cursor stays on a row however rows move."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from lthtui.messages import Folded, Highlighted, Opened
from lthtui.table import NOTHING, Cell, Column, Row
from lthtui.widgets.tones import tone

GAPS = (2, 1)  # cells between columns, the second where the first would cut the first column
NARROWEST = 14  # of the column that takes what is left
MARK = "*"


class Grid(ScrollView, can_focus=True):
    """Rows of cells under a header that stays.

    `show` may be called with every change: lines that are equal are not drawn again.
    """

    COMPONENT_CLASSES = {"grid--cursor"}
    BINDINGS = [
        Binding("up,k", "move(-1)", "Up", show=False, id="grid.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="grid.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="grid.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="grid.page_down"),
        Binding("home,g", "move(-1000000)", "First row", show=False, id="grid.first"),
        Binding("end,G", "move(1000000)", "Last row", show=False, id="grid.last"),
        Binding("right,l", "fold(True)", "Unfold", show=False, id="grid.unfold"),
        Binding("left,h", "fold(False)", "Fold", show=False, id="grid.fold"),
        Binding("enter", "open", "Open", id="grid.open"),
    ]

    def __init__(
        self,
        columns: Sequence[Column],
        empty: str = "",
        id: str | None = None,
        opens: bool = True,
    ) -> None:
        super().__init__(id=id)
        self._opens = opens  # whether rows stand for something that can be opened
        self.columns, self.empty = columns, empty
        self.rows: Sequence[Row] = ()
        self.cursor: str | None = None
        self.marked: frozenset[str] = frozenset()
        self._index: dict[str, int] = {}
        self._widths = [0] * len(columns)
        self._gap = GAPS[0]

    @property
    def cursor_index(self) -> int:
        """The row that the cursor is on; 0 without rows."""
        return self._index.get(self.cursor or "", 0)

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows; the cursor stays on its row, or near where that was."""
        before, at = self.rows, self.cursor_index
        self.rows = rows
        self._index = {row.key: index for index, row in enumerate(rows)}
        self.virtual_size = Size(0, len(rows) + 1)
        widths = self._fit()
        if widths != self._widths or len(before) != len(rows):
            self._widths = widths
            self.refresh()
        else:
            self._refresh_lines(old != new for old, new in zip(before, rows, strict=True))
        if self.cursor not in self._index:
            self._put_cursor(min(at, len(rows) - 1))

    def select(self, key: str) -> None:
        """Put the cursor on a row, if it is there."""
        if key in self._index:
            self._put_cursor(self._index[key])

    def mark(self, keys: Iterable[str]) -> None:
        """Mark these rows and no others; a mark outlasts its row."""
        before, self.marked = self.marked, frozenset(keys)
        self._refresh_lines(row.key in before ^ self.marked for row in self.rows)

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self._put_cursor(self.cursor_index + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by what is visible at a time."""
        self._put_cursor(self.cursor_index + by * max(self.size.height - 2, 1))

    def action_fold(self, unfold: bool | None) -> None:
        """Ask to show or hide the children of the row under the cursor."""
        if self.cursor is not None:
            self.post_message(Folded(self.cursor, unfold))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to open rows only where they can be."""
        return action != "open" or self._opens

    def action_open(self) -> None:
        """Ask to open the row under the cursor."""
        if self.cursor is not None:
            self.post_message(Opened(self.cursor))

    def on_resize(self) -> None:
        """Give the columns the new width."""
        self._widths = self._fit()
        self._reveal(self.cursor_index)
        self.refresh()

    def on_focus(self) -> None:
        """The cursor is drawn stronger with the focus."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor is drawn weaker without the focus."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Select by a click, open by a double click, fold by a click on the arrow."""
        index = event.y + self.scroll_offset.y - 1
        if event.y == 0 or not 0 <= index < len(self.rows):
            return
        row = self.rows[index]
        self._put_cursor(index)
        if row.fold and event.x < 2 * row.depth + 2:
            self.action_fold(None)
        elif event.chain == 2 and self._opens:
            self.action_open()

    def render_line(self, y: int) -> Strip:
        """Draw one visible line."""
        width = self.size.width
        if y == 0:
            strip = self._head()
        else:
            index = y + self.scroll_offset.y - 1
            if index < len(self.rows):
                strip = self._row(self.rows[index])
            else:
                note = self.empty if not self.rows and y == 2 else ""
                strip = Strip([Segment(f"  {note}", tone(self, "dim"))])
        return strip.adjust_cell_length(width, self.rich_style).apply_style(self.rich_style)

    def _head(self) -> Strip:
        cells = [Cell(column.title, "dim") for column in self.columns]
        return Strip(self._cells(cells, "  ")).apply_style(Style(bold=True))

    def _row(self, row: Row) -> Strip:
        strip = Strip(self._cells(row.cells, _lead(row, row.key in self.marked)))
        if row.key != self.cursor:
            return strip
        cursor = self.get_component_rich_style("grid--cursor", partial=True)
        if not self.has_focus:
            cursor = Style(bgcolor=cursor.bgcolor)
        strip = strip.adjust_cell_length(self.size.width)
        return Strip([Segment(text, (style or Style()) + cursor) for text, style, _ in strip])

    def _cells(self, cells: Sequence[Cell], lead: str) -> list[Segment]:
        segments = []
        for column, cell, width in zip(self.columns, cells, self._widths, strict=True):
            if not width:
                continue
            text = lead + cell.text if column.rank == 0 else cell.text
            text = fitted(text, width, column.right) + " " * self._gap
            segments.append(Segment(text, tone(self, cell.tone)))
        return segments

    def _fit(self) -> list[int]:
        """Choose the gap, and a width for each column; 0 for those that have to give way."""
        wanted = [
            column.width
            or max([cell_len(row.cells[at].text) for row in self.rows] + [cell_len(column.title)])
            for at, column in enumerate(self.columns)
        ]
        blank = [self._blank(at) for at in range(len(wanted))]
        shown = sorted(range(len(wanted)), key=lambda at: (blank[at], self.columns[at].rank))
        names = (cell_len(row.cells[shown[0]].text) + len(_lead(row)) for row in self.rows)
        whole = max([NARROWEST, *names])
        while True:
            for self._gap in GAPS:
                room = self.size.width - sum(wanted[at] + self._gap for at in shown[1:]) - self._gap
                least = whole if blank[shown[-1]] or self._gap == GAPS[0] else NARROWEST
                if room >= least or len(shown) == 1:
                    widths = [wanted[at] if at in shown else 0 for at in range(len(wanted))]
                    widths[shown[0]] = max(room, 1)
                    return widths
            shown.pop()

    def _blank(self, at: int) -> bool:
        """Whether a column has nothing to say: it gives way before all others."""
        cells = [row.cells[at] for row in self.rows]
        return self.columns[at].rank > 0 and all(cell == NOTHING for cell in cells)

    def _put_cursor(self, index: int) -> None:
        before = self.cursor_index
        index = min(max(index, 0), len(self.rows) - 1)
        cursor = self.rows[index].key if self.rows else None
        if cursor == self.cursor:
            return
        self.cursor = cursor
        self._reveal(index)
        self._refresh_lines(at in (before, index) for at in range(len(self.rows)))
        self.post_message(Highlighted(cursor))

    def _reveal(self, index: int) -> None:
        """Scroll as little as it takes to show a row below the header."""
        least, most = index + 2 - self.size.height, index
        top = min(max(self.scroll_offset.y, least), most)
        if top != self.scroll_offset.y:
            self.scroll_to(y=max(top, 0), animate=False, force=True)

    def _refresh_lines(self, changed: Iterable[bool]) -> None:
        for index, one in enumerate(changed):
            if one:
                self.refresh(Region(0, index + 1 - self.scroll_offset.y, self.size.width, 1))


def _lead(row: Row, marked: bool = False) -> str:
    return "  " * row.depth + (row.fold or " ") + (MARK if marked else " ")


def fitted(text: str, width: int, right: bool) -> str:
    """A text cut or filled up to a width in cells."""
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - size) + text if right else text + " " * (width - size)
