"""How much the masks of some tickets overlap, in pairs; and the two under the cursor by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content

from lthtui.counting import counted
from lthtui.heat import wrapped
from lthtui.messages import Ask, Highlighted
from lthtui.overlapmap import pair
from lthtui.screens.base import Asking
from lthtui.widgets.keybar import KeyBar
from lthtui.widgets.matrix import Matrix
from lthtui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from engine.overlap import Overlap
    from lthtui.desk import Desk
    from lthtui.ticketindex import Ticket


class OverlapScreen(Asking):
    """Compares tickets of one network.

    Args:
        like: only those of its network are compared, and the others counted; None for all.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
    BINDINGS = [Binding("escape,backspace", "app.pop_screen", "Back", id="overlap.back")]

    def __init__(self, tickets: Sequence[Ticket], like: Ticket | None = None) -> None:
        super().__init__()
        self._tickets, self._like = tickets, like
        self._overlap: Overlap | None = None

    def compose(self) -> ComposeResult:
        """The matrix, and what the cursor is on."""
        with Horizontal(id="body"):
            with Vertical(id="runs") as box:
                box.border_title = "overlap of masks"
                yield Matrix(id="matrix")
            with Vertical(id="details"):
                yield Sheet(id="pair", classes="-shown")
        yield KeyBar()

    def on_mount(self) -> None:
        """Have the masks compared."""
        self.query_one(Matrix).show(lambda width: wrapped("comparing masks…", width))
        self.query_one(Matrix).focus()
        self.query_one("#pair").border_title = "by layer"
        self.post_message(Ask(self, "overlap", self._compared, self._take))

    def on_highlighted(self, message: Highlighted) -> None:
        """Tell of another two."""
        found = self._overlap
        if found is not None:
            row, column = self.query_one(Matrix).at
            self.query_one("#pair", Sheet).show(lambda width: pair(found, row, column, width))

    def _compared(self, desk: Desk) -> tuple[Overlap | str, str, int]:
        """The overlaps, what was left out of them, and at which ticket to begin."""
        tickets, left, at = self._tickets, "", 1
        if self._like is not None:
            tickets, left = desk.tickets.alike(self._like, tickets)
            at = tickets.index(self._like)
        return desk.tickets.compared(tickets), left, at

    def _take(self, answer: tuple[Overlap | str, str, int]) -> None:
        """Show the overlaps, or why there are none."""
        found, left, at = answer
        if isinstance(found, str):
            self.query_one(Matrix).show(lambda width: wrapped(found, width, "failed"))
            return
        self._overlap = found
        self.query_one(Matrix).compare(found, at)
        if self._like is not None:
            box, count = self.query_one("#runs"), counted(len(found.names), "ticket")
            box.border_title = Content(f"overlap of masks  {count} of one network")
            box.border_subtitle = Content(f"left out: {left}" if left else "")
