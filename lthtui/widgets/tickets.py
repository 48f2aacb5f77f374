"""Tickets in a table beside a look at the one under the cursor, and all that is done about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget

from lthtui.heat import wrapped
from lthtui.messages import Act, Ask, Highlighted, Marked, Opened, RunWanted
from lthtui.screens.kinds import KindsScreen
from lthtui.screens.overlap import OverlapScreen
from lthtui.table import Column, Row
from lthtui.ticketindex import Ticket
from lthtui.ticketlook import Look, lines
from lthtui.widgets.grid import Grid
from lthtui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from lthtui.desk import Desk

EXPORTS = {
    ".safetensors": "a ticket with its card",
    ".pt": "a plain masked state dict",
}


class TicketTable(Horizontal):
    """Shows tickets; those that are marked are compared.

    Args:
        below: what stands below the table.
        opens: whether the run of a ticket may be opened from here.
    """

    BINDINGS = [
        Binding("enter", "open_run", "Open its run", id="tickets.open"),
        Binding("escape", "shrink", "Table", id="tickets.back"),
        Binding("space", "mark", "Mark", id="tickets.mark"),
        Binding("o", "overlap", "Overlap", id="tickets.overlap"),
        Binding("v", "verify", "Verify", id="tickets.verify"),
        Binding("E", "export", "Export", id="tickets.export"),
        Binding("K", "control", "Control it", id="tickets.control"),
    ]

    def __init__(
        self,
        columns: Sequence[Column],
        empty: str,
        below: Iterable[Widget] = (),
        opens: bool = False,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id, classes="tickets")
        self._columns, self._empty, self._below, self._opens = columns, empty, below, opens
        self._tickets: Mapping[str, Ticket] = {}  # by key
        self._marked: dict[str, None] = {}  # keys in the order in which they were marked
        self._asked: Ticket | None = None

    def compose(self) -> ComposeResult:
        """The table and the look."""
        with Vertical(classes="list"):
            yield Grid(self._columns, self._empty, marks=True)
            yield from self._below
        yield Sheet(classes="look")

    def focus(self, scroll_visible: bool = True) -> TicketTable:
        """Give the focus to what has the room."""
        self.query_one(Sheet if self.has_class("-full") else Grid).focus(scroll_visible)
        return self

    @property
    def grid(self) -> Grid:
        """The table."""
        return self.query_one(Grid)

    @property
    def ticket(self) -> Ticket | None:
        """The ticket under the cursor."""
        grid = self.query(Grid)
        return self._tickets.get(grid.first().cursor or "") if grid else None

    @property
    def marked(self) -> list[Ticket]:
        """What is marked and there, in the order in which it was marked."""
        return [self._tickets[key] for key in self._marked if key in self._tickets]

    def show(self, rows: Sequence[Row], tickets: Mapping[str, Ticket]) -> None:
        """Show these rows; tickets by their keys."""
        self._tickets = tickets
        self.grid.show(rows)
        self.grid.mark(self._marked)
        self._look()

    def compared(self) -> list[Ticket]:
        """The tickets that are to be compared: those marked, or all if fewer than two are."""
        rows = (self._tickets.get(row.key) for row in self.grid.rows)
        return self.marked if len(self.marked) > 1 else [one for one in rows if one]

    def entitle(self, title: Content) -> None:
        """Put a title over the table."""
        self.query_one(".list").border_title = title

    def mark(self, keys: Iterable[str]) -> None:
        """Have these keys marked and no others."""
        self._marked = dict.fromkeys(keys)
        self.grid.mark(self._marked)

    # ---- what happens to the table

    def on_highlighted(self, message: Highlighted) -> None:
        """Look at another ticket."""
        self._look()
        self.screen.refresh_bindings()

    def on_opened(self, message: Opened) -> None:
        """Open the run of a ticket that is in full view; else give the look all the room."""
        message.stop()
        sheet = self.query_one(Sheet)
        if self._opens and (self.has_class("-full") or not sheet.max_scroll_y):
            self.action_open_run()
            return
        self.add_class("-full")
        self.focus()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What needs a ticket's weights is for those that have them."""
        ticket, full = self.ticket, self.has_class("-full")
        if action == "shrink":
            return full
        if action == "open_run":
            return full and self._opens
        if action in ("verify", "export"):
            return True if ticket and ticket.kept else None
        if action == "control":
            return True if ticket and ticket.run.directory and ticket.level.sparse else None
        if action in ("overlap", "mark"):
            return True if ticket else None
        return True

    # ---- keys

    def action_shrink(self) -> None:
        """Go back to the table."""
        self.remove_class("-full")
        self.focus()
        self.refresh_bindings()

    def action_open_run(self) -> None:
        """Open the run of the ticket under the cursor."""
        if ticket := self.ticket:
            self.screen.post_message(RunWanted(ticket.run.run_id))

    def action_mark(self) -> None:
        """Mark the ticket under the cursor, or take its mark away; go to the next."""
        if cursor := self.grid.cursor:
            self.post_message(Marked(self.grid.marked ^ {cursor}))
            self.grid.action_move(1)

    def on_marked(self, message: Marked) -> None:
        """Mark rows; what was marked before comes first."""
        before = [key for key in self._marked if key in message.keys]
        self.mark([*before, *sorted(message.keys.difference(before))])

    def action_overlap(self) -> None:
        """Compare the masks of tickets; if few are marked, of the network under the cursor."""
        tickets = self.compared()
        like = None if self.marked[1:] or self.ticket not in tickets else self.ticket
        self.app.push_screen(OverlapScreen(tickets, like))

    def action_verify(self) -> None:
        """Score the ticket under the cursor again."""
        if ticket := self.ticket:
            verify = Act(lambda desk: desk.tickets.verify(ticket), True, self._look_again)
            self.screen.post_message(verify)
            self._look_again()

    def action_export(self) -> None:
        """Write the ticket under the cursor to a file that is asked for."""
        ticket = self.ticket
        if ticket is None:
            return
        from lthtui.screens.export import export

        def write(desk: Desk, file: Path, replace: bool) -> str:
            return desk.tickets.export(ticket, file, replace)

        run = ticket.run
        name = f"{run.name}-{run.repetition}-level-{ticket.level.index:02d}.safetensors"
        export(self.screen, f"Export {ticket.label} to", name, write, EXPORTS, (".json",))

    def action_control(self) -> None:
        """Queue controls of the ticket under the cursor, of the kinds that are asked for."""
        ticket = self.ticket
        if ticket is None:
            return
        run, level = ticket.run.run_id, ticket.level.index

        def answered(kinds: tuple[str, ...] | None) -> None:
            if kinds:
                self.screen.post_message(Act(lambda desk: desk.control(run, level, kinds), True))

        command = f"lthtui control {run} --level {level}"
        self.app.push_screen(KindsScreen(ticket.label, command), answered)

    # ---- the look

    def _look(self) -> None:
        """Have the ticket under the cursor looked at, if it is another one or has changed."""
        ticket = self.ticket
        if ticket == self._asked:
            return
        self._asked = ticket
        if ticket is None:
            self.query_one(Sheet).show(lambda width: wrapped("", width))
        else:
            self.screen.post_message(
                Ask(
                    self.screen,
                    "look",
                    lambda desk: desk.tickets.look(ticket),
                    self._take,
                    failed=partial(self._fail, ticket),
                )
            )

    def _look_again(self) -> None:
        """Have the ticket under the cursor looked at although it is the same, if still in view."""
        if self.is_attached:
            self._asked = None
            self._look()

    def _fail(self, ticket: Ticket, why: str) -> None:
        """Say so; have the ticket looked at again when the table is shown the next time."""
        if ticket == self._asked:
            self._asked = None
            self.query_one(Sheet).show_failure(f"{ticket.label} cannot be read: {why}")

    def _take(self, look: Look) -> None:
        """Show what is known of a ticket."""
        if look.ticket == self._asked:
            self.query_one(Sheet).show(lambda width: lines(look, width), top=True)
