"""All tickets across experiments: a table, and what is known of the one under the cursor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input

from lthtui import fields, ticketindex
from lthtui.board import Board
from lthtui.fields import Misread
from lthtui.filtering import Filter
from lthtui.heat import wrapped
from lthtui.messages import Act, Ask, Highlighted, Opened, RunWanted
from lthtui.runview import RunView
from lthtui.screens.base import RunsScreen
from lthtui.screens.kinds import KindsScreen
from lthtui.screens.naming import NameScreen
from lthtui.screens.overlap import OverlapScreen
from lthtui.text import clean_line
from lthtui.ticketindex import ORDERS, WHICH, Index, Ticket
from lthtui.ticketlook import Look, lines
from lthtui.widgets.grid import Grid
from lthtui.widgets.keybar import KeyBar
from lthtui.widgets.sheet import Sheet
from lthtui.widgets.topbar import TopBar

EMPTY = {
    "picked": "no run has picked a ticket yet",
    "winning": "no ticket beats dense yet; press a for all levels",
    "all": "no pruned level has ended yet",
}


class TicketsScreen(RunsScreen):
    """Lists tickets; those that are marked are compared."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
    BINDINGS = [
        Binding("a", "which", "Picked/all/winning", id="tickets.which"),
        Binding("s", "sort(1)", "Sort", id="tickets.sort"),
        Binding("S", "reverse", "Reverse", show=False, id="tickets.reverse"),
        Binding("slash", "filter", "Filter", id="tickets.filter"),
        Binding("space", "mark", "Mark", id="tickets.mark"),
        Binding("o", "overlap", "Overlap", id="tickets.overlap"),
        Binding("v", "verify", "Verify", id="tickets.verify"),
        Binding("E", "export", "Export", id="tickets.export"),
        Binding("C", "control", "Control it", id="tickets.control"),
        Binding("escape", "clear", "Clear filter, or marks", show=False, id="tickets.clear"),
    ]

    def __init__(self, root: str, clock: Callable[[], float]) -> None:
        super().__init__()
        self._root, self._clock = root, clock
        self._index = Index()
        self._tickets: dict[str, Ticket] = {}  # all that there are, by key
        self._marked: dict[str, None] = {}  # in the order in which they were marked
        self._which, self._order, self._filter = WHICH[0], ORDERS[0], Filter()
        self._asked: Ticket | None = None

    def compose(self) -> ComposeResult:
        """Header, table and preview, keys."""
        yield TopBar(self._root, self._clock, "tickets")
        with Horizontal(id="body"):
            with Vertical(id="runs"):
                yield Grid(ticketindex.table_columns(self._order), id="tickets")
                yield Input(placeholder="density<5% method:imp", id="filter", compact=True)
            with Vertical(id="details"):
                yield Sheet(id="look", classes="-shown")
        yield KeyBar()

    def on_mount(self) -> None:
        """Start with the table in focus."""
        self.query_one(Grid).focus()
        self.show_board(self.board)

    def show_board(self, board: Board) -> None:
        """Show the tickets as they are now."""
        super().show_board(board)
        if self.is_mounted:
            self.query_one(TopBar).show(board.counts)
            self._tickets = {one.key: one for one in self._index.tickets(board)}
            self._fill()

    def chosen(self) -> tuple[RunView, ...]:
        """The run of the ticket under the cursor."""
        return (self._ticket.run,) if self._ticket else ()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Runs are not stopped here; what needs a ticket's weights is for those that have them."""
        if action in ("stop", "pause", "resume"):
            return False
        ticket = self._ticket
        if action in ("verify", "export"):
            return True if ticket and ticket.run.directory and ticket.level.ticket else None
        if action == "control":
            return True if ticket and ticket.run.directory else None
        if action == "overlap":
            return True if ticket else None
        return True

    def on_highlighted(self, message: Highlighted) -> None:
        """Show another ticket."""
        self._look()
        self.refresh_bindings()

    def on_opened(self, message: Opened) -> None:
        """Open the run of a ticket."""
        self.post_message(RunWanted(self._tickets[message.key].run.run_id))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while typing; what cannot be read yet says why, and hides nothing."""
        trouble, self._filter = "", Filter()
        try:
            runs = (ticket.run for ticket in self._tickets.values())
            self._filter = Filter.parse(event.value, fields.names(runs))
        except Misread as error:
            trouble = str(error)
        self.query_one("#runs").border_subtitle = Content(trouble)
        self._fill()

    def on_input_submitted(self) -> None:
        """Keep the filter and go back to the table."""
        self.query_one("#filter").set_class(self._filter.node is not None, "-open")
        self.query_one(Grid).focus()

    def action_filter(self) -> None:
        """Open the line of the filter."""
        line = self.query_one("#filter")
        line.add_class("-open")
        line.focus()

    def action_clear(self) -> None:
        """Show all again; if that is so already, take all marks away."""
        line = self.query_one("#filter", Input)
        if not line.value:
            self._marked.clear()
        line.value = ""
        line.remove_class("-open")
        self.query_one(Grid).focus()
        self._fill()

    def action_which(self) -> None:
        """Show what runs picked, then all pruned levels, then only winning tickets."""
        self._which = WHICH[(WHICH.index(self._which) + 1) % len(WHICH)]
        self._fill()

    def action_sort(self, by: int) -> None:
        """Sort by the next field."""
        at = next(i for i, one in enumerate(ORDERS) if one.field == self._order.field)
        self._order = ORDERS[(at + by) % len(ORDERS)]
        self._fill()

    def action_reverse(self) -> None:
        """Turn the order around."""
        self._order = replace(self._order, descending=not self._order.descending)
        self._fill()

    def action_mark(self) -> None:
        """Mark the ticket under the cursor, or take its mark away; go to the next."""
        grid = self.query_one(Grid)
        if grid.cursor is None:
            return
        if grid.cursor in self._marked:
            del self._marked[grid.cursor]
        else:
            self._marked[grid.cursor] = None
        self._entitle()
        grid.action_move(1)

    def action_overlap(self) -> None:
        """Compare the marked tickets, or all in view if fewer than two are marked."""
        marked = [self._tickets[key] for key in self._marked if key in self._tickets]
        rows = [self._tickets[row.key] for row in self.query_one(Grid).rows]
        self.app.push_screen(OverlapScreen(marked if len(marked) > 1 else rows))

    def action_verify(self) -> None:
        """Score the ticket under the cursor again."""
        if ticket := self._ticket:
            self.notify(f"verifying {ticket.label}…", markup=False)
            self.post_message(Act(lambda desk: desk.tickets.verify(ticket), lasting=True))

    def action_export(self) -> None:
        """Write the ticket under the cursor to a file that is asked for."""
        ticket = self._ticket
        if ticket is None:
            return
        name = f"{ticket.run.name}-s{ticket.run.seed}-level-{ticket.level.index:02d}.safetensors"

        def answered(file: str | None) -> None:
            if file:
                write = Path(file)
                self.post_message(Act(lambda desk: desk.tickets.export(ticket, write), True))

        detail = ".safetensors is a ticket with its card, .pt a plain masked state dict"
        self.app.push_screen(NameScreen(f"Export {ticket.label} to", detail, name), answered)

    def action_control(self) -> None:
        """Queue controls of the ticket under the cursor, of the kinds that are asked for."""
        ticket = self._ticket
        if ticket is None:
            return
        run, level = ticket.run.run_id, ticket.level.index

        def answered(kinds: tuple[str, ...] | None) -> None:
            if kinds:
                self.post_message(Act(lambda desk: desk.control(run, level, kinds), True))

        self.app.push_screen(KindsScreen(ticket.label), answered)

    @property
    def _ticket(self) -> Ticket | None:
        grid = self.query(Grid)
        return self._tickets.get(grid.first().cursor or "") if grid else None

    def _fill(self) -> None:
        found = ticketindex.chosen(self._tickets.values(), self._which, self._filter)
        found = ticketindex.ordered(found, (self._order,))
        grid = self.query_one(Grid)
        grid.columns = ticketindex.table_columns(self._order)
        grid.empty = EMPTY[self._which] if self._filter.node is None else "no ticket is like that"
        colours = self.board.colours
        grid.show([ticketindex.row(one, colours.get(one.group.id, "")) for one in found])
        grid.refresh()  # the head, or what is said of an empty table, may be another
        self._entitle()
        self._look()

    def _entitle(self) -> None:
        """Mark rows; say how many tickets there are, and by what they are sorted."""
        grid = self.query_one(Grid)
        grid.mark(self._marked)
        title = f"tickets  {len(grid.rows):,} {self._which}, by {self._order.field.name}"
        if wanted := self.query_one("#filter", Input).value.strip():
            title += f"  /{clean_line(wanted)}"
        if self._marked:
            title += f"  {len(self._marked)} marked"
        self.query_one("#runs").border_title = Content(title)

    def _look(self) -> None:
        """Have the ticket under the cursor looked at, if it is another one or has changed."""
        ticket = self._ticket
        if ticket == self._asked:
            return
        self._asked = ticket
        if ticket is None:
            self.query_one("#look", Sheet).show(lambda width: wrapped("", width))
        else:
            self.post_message(Ask(self, "look", lambda desk: desk.tickets.look(ticket), self._take))

    def _take(self, look: Look) -> None:
        """Show what is known of a ticket."""
        if look.ticket == self._asked:
            self.query_one("#look", Sheet).show(lambda width: lines(look, width), top=True)
