"""A matrix of overlaps with a cursor on one of its cells."""

from __future__ import annotations

from textual.binding import Binding
from textual.geometry import Region

from engine.overlap import Overlap
from lthtui.messages import Highlighted
from lthtui.overlapmap import CELL, matrix
from lthtui.widgets.sheet import Sheet


class Matrix(Sheet):
    """Shows how much tickets overlap; `at` is the row and the column that the cursor is on."""

    BINDINGS = [
        Binding("up,k", "cell(-1, 0)", "Ticket above", show=False, id="matrix.up"),
        Binding("down,j", "cell(1, 0)", "Ticket below", show=False, id="matrix.down"),
        Binding("left,h", "cell(0, -1)", "Ticket before", show=False, id="matrix.left"),
        Binding("right,l", "cell(0, 1)", "Next ticket", show=False, id="matrix.right"),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.at = (0, 0)
        self._overlap: Overlap | None = None

    def compare(self, found: Overlap, row: int) -> None:
        """Show these overlaps, with the cursor on a ticket's with its neighbour."""
        self._overlap, self.at = found, (row, row - 1 if row else 1)
        self.action_cell(0, 0)

    def action_cell(self, down: int, right: int) -> None:
        """Move the cursor."""
        found = self._overlap
        if found is None:
            return
        last = len(found.names) - 1
        row, column = (
            min(max(at + by, 0), last) for at, by in zip(self.at, (down, right), strict=True)
        )
        self.at = (row, column)
        self.show(lambda width: matrix(found, (row, column), width))
        left = max(self.virtual_size.width - CELL * (last + 1 - column), 0)
        place = Region(left if column else 0, row + 1 if row else 0, CELL, 1)
        self.scroll_to_region(place, animate=False, force=True)
        self.post_message(Highlighted(f"{row}:{column}"))
