"""Asks which columns a table is to have, in what order, and which stay at the left."""

from __future__ import annotations

from collections.abc import Sequence

from textual.binding import Binding

from lthtui import catalogue, columns
from lthtui.board import Group
from lthtui.catalogue import Entry
from lthtui.columns import Heading
from lthtui.messages import Highlighted, Marked
from lthtui.picking import Picking
from lthtui.runview import RunView
from lthtui.screens.picker import PickScreen
from lthtui.table import NOTHING, Cell, Column, Row
from lthtui.text import clean_line

HINT = "type to search; val@5% is the accuracy where 5% of weights are kept"


class ColumnsScreen(PickScreen[tuple[Heading, ...]]):
    """Returns the columns. Those that are chosen come first and are marked, then all others.

    Args:
        known: what columns there could be.
        example: a run with its group, whose values are shown.
    """

    BINDINGS = [
        Binding("space", "choose", "Add/remove", priority=True, id="columns.toggle"),
        Binding("less_than_sign,shift+up", "shift(-1)", "Left", priority=True, id="columns.left"),
        Binding(
            "greater_than_sign,shift+down", "shift(1)", "Right", priority=True, id="columns.right"
        ),
        Binding("exclamation_mark", "pin", "Pin", priority=True, id="columns.pin"),
        Binding("ctrl+r", "reset", "Reset", priority=True, id="columns.reset"),
    ]
    COLUMNS = (
        Column("column", 0),
        Column("place", 1),
        Column("now", 2, width=16),
        Column("what it is", 3, width=30),
    )
    MARKS = True
    KEYS = " <>!"

    def __init__(
        self,
        known: Sequence[Entry],
        chosen: tuple[Heading, ...],
        example: tuple[RunView, Group] | None,
    ) -> None:
        super().__init__("Columns", placeholder=HINT)
        self._known = {one.field.name: one for one in known}
        gone = (one.field for one in chosen if one.field.name not in self._known)
        self._known |= {field.name: Entry(field, catalogue.about(field)) for field in gone}
        self._found: dict[str, Entry] = {}  # what the list shows
        self._picking, self._example = Picking(chosen), example

    def rows(self) -> list[Row]:
        """Chosen columns in their order, then what else is found."""
        found = catalogue.found([*self._known.values()], self.line.value)
        place = {one.field: at for at, one in enumerate(self._picking.headings)}
        found.sort(key=lambda one: place.get(one.field, len(place)))
        self._found = {one.field.name: one for one in found}
        return [self._row(one, place.get(one.field)) for one in found]

    def fill(self) -> None:
        """Show the list anew, with marks at what is chosen."""
        super().fill()
        self.grid.mark(one.field.name for one in self._picking.headings)

    def on_highlighted(self, message: Highlighted) -> None:
        """Say in full what the column under the cursor is."""
        message.stop()
        entry = self._found.get(message.key or "")
        self.say(f"{clean_line(entry.field.name)}: {entry.about}" if entry else "")

    def on_marked(self, message: Marked) -> None:
        """A click before a name adds or removes its column, as space does."""
        self.action_choose()

    def take(self) -> None:
        """So does a double click."""
        self.action_choose()

    def action_accept(self) -> None:
        """Answer with the columns."""
        self.dismiss(self._picking.headings)

    def action_choose(self) -> None:
        """Add the column under the cursor, or remove it."""
        if entry := self._entry:
            self._known[entry.field.name] = entry  # also what no list had before it was typed
            self._change(self._picking.toggled(entry.field))

    def action_shift(self, by: int) -> None:
        """Move the column under the cursor."""
        if entry := self._entry:
            self._change(self._picking.moved(entry.field, by))

    def action_pin(self) -> None:
        """Pin the column under the cursor, or let it go."""
        if entry := self._entry:
            self._change(self._picking.pinned(entry.field))

    def action_reset(self) -> None:
        """Choose the columns that there are by default."""
        self._change(Picking())

    @property
    def _entry(self) -> Entry | None:
        return self._found.get(self.grid.cursor or "")

    def _change(self, picking: Picking) -> None:
        self._picking = picking
        self.fill()

    def _row(self, entry: Entry, place: int | None) -> Row:
        pinned = place is not None and self._picking.headings[place].pinned
        cells = (
            Cell(clean_line(entry.field.name), "name" if place is not None else ""),
            Cell("" if place is None else f"{place + 1}{' pinned' if pinned else ''}"),
            columns.cell(entry.field, *self._example) if self._example else NOTHING,
            Cell(entry.about, "dim"),
        )
        return Row(entry.field.name, cells)
