"""Asks by what a table is to be sorted, in the words of `lthtui list --sort`."""

from __future__ import annotations

from collections.abc import Sequence

from textual.binding import Binding

from lthtui import catalogue, ordering
from lthtui.catalogue import Entry
from lthtui.screens.picker import PickScreen
from lthtui.table import Cell, Column, Row
from lthtui.text import clean_line
from lthtui.views import Order


class SortScreen(PickScreen[tuple[Order, ...]]):
    """Returns what to sort by; `known` is what there is to sort by."""

    BINDINGS = [Binding("tab", "complete", "Complete", priority=True, id="sort.complete")]
    COLUMNS = (Column("field", 0), Column("what it is", 1))

    def __init__(self, known: Sequence[Entry], order: Sequence[Order]) -> None:
        typed = ",".join(map(str, order))
        super().__init__("Sort by", typed, "-val,name: a minus has the largest first")
        self._known = known
        self._names = frozenset(one.field.name for one in known)

    def rows(self) -> list[Row]:
        """Fields that the name in the line could become."""
        text, cursor = self.line.value, self.line.cursor_position
        found = catalogue.found(self._known, ordering.part(text, cursor).name)
        return [_row(one) for one in found]

    def fill(self) -> None:
        """Show the list anew, and say what the line means."""
        super().fill()
        self.say(ordering.read(self.line.value, self._names)[1])

    def take(self) -> None:
        """Complete the name that is typed."""
        self.action_complete()

    def action_complete(self) -> None:
        """Put the field under the cursor into the line."""
        line = self.line
        if self.grid.cursor is not None:
            whole = ordering.completed(line.value, line.cursor_position, self.grid.cursor)
            line.value, line.cursor_position = whole

    def action_accept(self) -> None:
        """Answer with the order, or complete a name that is none yet, or was pointed at."""
        order, _ = ordering.read(self.line.value, self._names)
        typed = ordering.part(self.line.value, self.line.cursor_position).name
        if order is None or (not typed and self.grid.cursor_index):
            self.action_complete()
        else:
            self.dismiss(order)


def _row(entry: Entry) -> Row:
    return Row(entry.field.name, (Cell(clean_line(entry.field.name)), Cell(entry.about, "dim")))
