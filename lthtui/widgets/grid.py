"""A table that draws only what is visible; its cursor stays on a row however rows move."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from lthtui.fitting import apart, fitted, shortened, told_apart
from lthtui.messages import Folded, HeadClicked, Highlighted, Marked, Opened
from lthtui.signs import wider
from lthtui.table import NOTHING, Cell, Column, Row
from lthtui.widgets import plain
from lthtui.widgets.tones import laid, tone

GAPS = (2, 1)  # cells between columns, the second where the first would cut the first column
NARROWEST = 14  # of the column that takes what is left
NAMES = 0.375  # of the width: so much names may take to be told apart, before figures give way
TEXT = 0.45  # of the width: so much columns of texts keep where they are cut
MARK = "*"
HEAD = "  "  # before the title of the column of names, where rows have folds and marks


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
        Binding("shift+right", "slide(1)", "Later columns", show=False, id="grid.later"),
        Binding("shift+left", "slide(-1)", "Earlier columns", show=False, id="grid.earlier"),
        Binding("shift+up", "extend(-1)", "Mark up to here", show=False, id="grid.mark_up"),
        Binding("shift+down", "extend(1)", "Mark down to here", show=False, id="grid.mark_down"),
        Binding("enter", "open", "Open", id="grid.open"),
    ]

    def __init__(
        self,
        columns: Sequence[Column],
        empty: str = "",
        id: str | None = None,
        opens: bool = True,
        marks: bool = False,
    ) -> None:
        super().__init__(id=id)
        self._opens = opens  # whether rows stand for something that can be opened
        self._marks = marks  # whether the mouse and a range of keys mark rows
        self._anchor: tuple[str, frozenset[str]] | None = None  # of a range, and marks before it
        self.columns, self.empty = columns, empty
        self.rows: Sequence[Row] = ()
        self.cursor: str | None = None
        self.marked: frozenset[str] = frozenset()
        self._index: dict[str, int] = {}
        self._widths = [0] * len(columns)
        self._room = 0  # the width that they are for
        self._gap = GAPS[0]
        self._telling: dict[str, str] = {}  # what is shown of names, see `told_apart`
        self._named: tuple[int, list[str]] = 0, []  # the width and the names that this is about
        self._under, self._tones = Style(), dict[str, Style]()  # while lines are drawn
        self._slid, self._more = 0, 0  # columns out of view at the left and at the right

    @property
    def cursor_index(self) -> int:
        """The row that the cursor is on; 0 without rows."""
        return self._index.get(self.cursor or "", 0)

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows; the cursor stays on its row, or near where that was."""
        before, at = self.rows, self.cursor_index
        self.rows = rows = [*map(_wider, rows)] if plain.asked(self.app) else rows
        self._index = {row.key: index for index, row in enumerate(rows)}
        self.virtual_size = Size(0, len(rows) + 1)
        widths = self._fit()
        if widths != self._widths or len(before) != len(rows) or not rows:  # `empty` may differ
            self._widths = widths
            self.refresh()
        else:
            pairs = enumerate(zip(before, rows, strict=True))
            self._refresh_lines(at for at, (old, new) in pairs if old != new)
        if self.cursor not in self._index:
            self._put_cursor(min(at, len(rows) - 1))
        elif self.cursor_index != at:
            self._stay(self.cursor_index - at)

    def select(self, key: str) -> None:
        """Put the cursor on a row, if it is there."""
        if key in self._index:
            self._put_cursor(self._index[key])

    def mark(self, keys: Iterable[str]) -> None:
        """Mark these rows and no others; a mark outlasts its row."""
        before, self.marked = self.marked, frozenset(keys)
        changed = before ^ self.marked
        self._refresh_lines(self._index[key] for key in changed if key in self._index)

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        self._anchor = None
        self._put_cursor(self.cursor_index + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by what is visible at a time."""
        self.action_move(by * max(self.size.height - 2, 1))

    def action_extend(self, by: int) -> None:
        """Move the cursor, and mark all rows between here and where that began."""
        self._extend(self.cursor_index + by)

    def action_slide(self, by: int) -> None:
        """Show columns that have no room instead of the first of those that may give way."""
        if by < 0 or self._more:
            self._slid = max(self._slid + by, 0)
            self._widths = self._fit()
            self.refresh()

    def action_fold(self, unfold: bool | None) -> None:
        """Ask to show or hide the children of the row under the cursor."""
        if self.cursor is not None:
            self.post_message(Folded(self.cursor, unfold))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to open and to mark rows only where they can be."""
        return {"open": self._opens, "extend": self._marks}.get(action, True)

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
        """Act on the head or on the row that was clicked on."""
        index = event.y + self.scroll_offset.y - 1
        at, left = self._column_at(event.x)
        if event.y == 0:
            self._click_head(event, at, event.x - left)
        elif 0 <= index < len(self.rows):
            named = self.columns[at].rank == 0
            self._click(event, index, event.x - left if named else None)

    def on_mouse_scroll_right(self) -> None:
        """Show later columns."""
        self.action_slide(1)

    def on_mouse_scroll_left(self) -> None:
        """Show earlier columns."""
        self.action_slide(-1)

    def _click_head(self, event: events.Click, at: int, x: int) -> None:
        """Show other columns by a click on how many there are, or tell which one it was on."""
        earlier, later = self._beyond()
        beyond = x - len(HEAD) - cell_len(self.columns[at].title) - 2
        if self.columns[at].rank or not 0 <= beyond < len(earlier + later):
            self.post_message(HeadClicked(at, event.ctrl or event.shift))
        else:
            self.action_slide(-1 if beyond < len(earlier) else 1)

    def _click(self, event: events.Click, index: int, x: int | None) -> None:
        """Select by a click, open by a double click, fold and mark before the name or by ctrl.

        Args:
            x: where in the column of names it was.
        """
        row, lead = self.rows[index], len(_lead(self.rows[index]))
        if self._marks and event.shift:
            self._extend(index)
            return
        self._anchor = None
        self._put_cursor(index)
        if self._marks and (event.ctrl or x == lead - 1):
            self.post_message(Marked(self.marked ^ {row.key}))
        elif row.fold and x is not None and x < lead:
            self.action_fold(None)
        elif event.chain == 2 and self._opens:
            self.action_open()

    def _column_at(self, x: int) -> tuple[int, int]:
        """The column that is drawn at a cell, and where it begins; the last one behind it."""
        left, found = 0, (0, 0)
        for at, width in enumerate(self._widths):
            if width and x >= left:
                found = at, left
                left += width + self._gap
        return found

    def _extend(self, index: int) -> None:
        if not self.rows:
            return
        if self._anchor is None or self._anchor[0] not in self._index:
            self._anchor = (self.rows[self.cursor_index].key, self.marked)
        began, marked = self._anchor
        self._put_cursor(index)
        ends = sorted((self._index[began], self.cursor_index))
        between = {row.key for row in self.rows[ends[0] : ends[1] + 1]}
        self.post_message(Marked(marked | between))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw what is to be seen now, with colours that are found once for all lines."""
        if self._room != self.size.width:  # it is drawn before it is told of its first size
            self._widths = self._fit()
        self._under, self._tones = self.rich_style, {}
        return super().render_lines(crop)

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
                note = "" if self.rows else self._said_empty(y - 2)
                strip = Strip([Segment(f"  {note}", self._tone("dim"))])
        return strip.adjust_cell_length(width, self._under).apply_style(self._under)

    def _said_empty(self, line: int) -> str:
        """One line of what is said where no row is."""
        lines = wrap(self.empty, max(self.size.width - 4, 8))
        return lines[line] if 0 <= line < len(lines) else ""

    def _head(self) -> Strip:
        beyond = "".join(self._beyond())
        titles = (
            f"{column.title}  {beyond}" if beyond and not column.rank else column.title
            for column in self.columns
        )
        cells = [Cell(title, "dim") for title in titles]
        return Strip(self._cells(cells, HEAD)).apply_style(Style(bold=True))

    def _beyond(self) -> tuple[str, str]:
        """How many columns are out of view at the left and at the right, where that has room."""
        earlier = f"←{self._slid} " if self._slid else ""
        later = f"{self._more}→" if self._more else ""
        at = next(at for at, column in enumerate(self.columns) if not column.rank)
        room = self._widths[at] - len(HEAD) - cell_len(self.columns[at].title) - 2
        return (earlier, later) if len(earlier + later) <= room else ("", "")

    def _row(self, row: Row) -> Strip:
        strip = Strip(self._cells(row.cells, _lead(row, row.key in self.marked)))
        if row.key != self.cursor:
            return strip
        cursor = self.get_component_rich_style("grid--cursor", partial=True)
        if not self.has_focus:
            cursor = Style(bgcolor=cursor.bgcolor)
        strip = strip.adjust_cell_length(self.size.width)
        return Strip([Segment(text, laid(style or Style(), cursor)) for text, style, _ in strip])

    def _cells(self, cells: Sequence[Cell], lead: str) -> list[Segment]:
        segments = []
        for column, cell, width in zip(self.columns, cells, self._widths, strict=True):
            if not width:
                continue
            name = column.rank == 0
            text = self._short(lead, cell.text, width) if name else cell.text
            text = fitted(text, width, column.right) + " " * self._gap
            segments.append(Segment(text, self._tone(cell.tone)))
        return segments

    def _short(self, lead: str, text: str, width: int) -> str:
        """A name as it is shown, behind its fold and its mark."""
        blank = " " * len(lead)
        told = self._telling.get(blank + text) or shortened(blank + text, width)
        return lead + told[len(lead) :]

    def _tone(self, name: str) -> Style:
        if name not in self._tones:
            self._tones[name] = tone(self, name)
        return self._tones[name]

    def _fit(self) -> list[int]:
        """Choose the gap, and a width for each column; 0 for those that have to give way."""
        self._room = self.size.width
        every = range(len(self.columns))
        wanted = [self._wanted(at) for at in every]
        blank = [self._blank(at) for at in every]
        loose = [at for at in every if self.columns[at].rank > 1 and not blank[at]]
        self._slid = min(self._slid, max(len(loose) - 1, 0))
        away = loose[: self._slid]

        def early(at: int) -> tuple[bool, int, int]:
            rank = self.columns[at].rank
            return blank[at], min(rank, 2) if away else rank, at

        shown = sorted((at for at in every if at not in away), key=early)
        names = [" " * len(_lead(row)) + row.cells[shown[0]].text for row in self.rows]
        whole = max([NARROWEST, *map(cell_len, names)])
        most = round(NAMES * self.size.width)
        telling = max(NARROWEST, min(apart(names) if whole > most else whole, most))
        told = [at for at in shown[1:] if not blank[at]]
        lacking = telling + sum(wanted[at] + 1 for at in told) + 1 - self.size.width
        if lacking > 0:
            wanted = [self._cut(at, wanted[at], lacking) for at in every]
            shown = [shown[0], *told]
        while True:
            for self._gap in GAPS:
                room = self.size.width - sum(wanted[at] + self._gap for at in shown[1:]) - self._gap
                least = whole if blank[shown[-1]] or self._gap == GAPS[0] else telling
                if room >= least or len(shown) == 1:
                    widths = [wanted[at] if at in shown else 0 for at in every]
                    widths[shown[0]] = max(room, 1)
                    self._more = sum(not (widths[at] or blank[at]) for at in every) - len(away)
                    self._tell_apart(widths[shown[0]], names if whole > widths[shown[0]] else [])
                    return widths
            shown.pop()

    def _wanted(self, at: int) -> int:
        column = self.columns[at]
        texts = (column.title, *(row.cells[at].text for row in self.rows))
        return column.width or max(map(cell_len, texts))

    def _cut(self, at: int, wanted: int, lacking: int) -> int:
        """A width where so many cells lack: texts are cut before other columns give way."""
        fixed = self.columns[at].right or self.columns[at].width
        least = min(wanted, round(TEXT * self.size.width))
        return wanted if fixed else max(least, wanted - lacking)

    def _tell_apart(self, width: int, names: list[str]) -> None:
        """Find out what is to be shown of names that are too long, unless that is known."""
        if (width, names) != self._named:
            self._named, self._telling = (width, names), told_apart(names, width)

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
        self._refresh_lines((before, index))
        self.post_message(Highlighted(cursor))

    def _reveal(self, index: int) -> None:
        """Scroll as little as it takes to show a row below the header."""
        least, most = index + 2 - self.size.height, index
        top = min(max(self.scroll_offset.y, least), most)
        if top != self.scroll_offset.y:
            self.scroll_to(y=max(top, 0), animate=False, force=True)

    def _stay(self, by: int) -> None:
        """Keep the row under the cursor on its line of the screen after it moved among the rows.

        Unless the first rows are in view, which then may be new ones.
        """
        if top := self.scroll_offset.y:
            self.scroll_to(y=max(top + by, 0), animate=False, force=True)
        self._reveal(self.cursor_index)

    def _refresh_lines(self, changed: Iterable[int]) -> None:
        for index in changed:
            self.refresh(Region(0, index + 1 - self.scroll_offset.y, self.size.width, 1))


def _wider(row: Row) -> Row:
    """A row with room for the signs of ASCII."""
    return row._replace(cells=tuple(one._replace(text=wider(one.text)) for one in row.cells))


def _lead(row: Row, marked: bool = False) -> str:
    return "  " * row.depth + (row.fold or " ") + (MARK if marked else " ")
