"""All tickets across experiments: a table, and what is known of the one under the cursor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content

from lthtui import ticketindex
from lthtui.board import Board
from lthtui.messages import Act, Ask, Filtered, HeadClicked, Marked
from lthtui.runview import RunView
from lthtui.screens.evaluating import EvaluatingScreen
from lthtui.ticketindex import ORDERS, WHICH, Index, Ticket
from lthtui.ticketview import TicketView
from lthtui.widgets.filterline import FilterLine, Trouble
from lthtui.widgets.keybar import KeyBar
from lthtui.widgets.tickets import TicketTable
from lthtui.widgets.topbar import TopBar

EMPTY = {
    "picked": "no run has picked a ticket yet",
    "winning": "no ticket beats dense yet; press a for all levels",
    "all": "no pruned level has ended yet",
}


class TicketsScreen(EvaluatingScreen):
    """Lists tickets; which, in what order and by what filter is remembered."""

    CSS_PATH = "../styles/tickets.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
    BINDINGS = [
        Binding("a", "which", "Picked/all/winning", id="tickets.which"),
        Binding("s", "sort(1)", "Sort", id="tickets.sort"),
        Binding("S", "reverse", "Reverse", show=False, id="tickets.reverse"),
        Binding("slash", "filter", "Filter", id="tickets.filter"),
        Binding("escape", "clear", "Clear filter, or marks", show=False, id="tickets.clear"),
    ]

    def __init__(self, root: str, clock: Callable[[], float]) -> None:
        super().__init__()
        self._root, self._clock = root, clock
        self._index = Index()
        self._tickets: dict[str, Ticket] = {}  # all that there are, by key
        self._view = TicketView()
        self._kept = self._view  # as it is remembered

    def compose(self) -> ComposeResult:
        """Header, tickets, keys."""
        yield TopBar(self._root, self._clock, "tickets")
        line = FilterLine("density<5% method:imp")
        columns = ticketindex.table_columns(self._view.order)
        yield TicketTable(
            columns, EMPTY[self._view.which], [line, Trouble()], opens=True, id="tickets"
        )
        yield KeyBar()

    def on_mount(self) -> None:
        """Start with the table in focus, as it was left."""
        self._table.grid.focus()
        self.show_board(self.board)
        self.post_message(Ask(self, "view", lambda desk: desk.memory.ticket_view(), self._restore))

    def show_board(self, board: Board) -> None:
        """Show the tickets as they are now."""
        super().show_board(board)
        if self.is_mounted:
            self.query_one(TopBar).show(board.counts)
            self._tickets = {one.key: one for one in self._index.tickets(board)}
            self._line.about({one.run.run_id: one.run for one in self._tickets.values()}.values())
            self._fill()

    def chosen(self) -> tuple[RunView, ...]:
        """The run of the ticket under the cursor."""
        ticket = self._table.ticket if self.is_mounted else None
        return (ticket.run,) if ticket else ()

    @property
    def origin(self) -> tuple[tuple[RunView, ...], int | None]:
        """The ticket under the cursor."""
        ticket = self._table.ticket
        return self.chosen(), ticket.level.index if ticket else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Runs are not stopped here."""
        if action in ("stop", "pause", "resume"):
            return False
        return super().check_action(action, parameters)

    def on_filtered(self, message: Filtered) -> None:
        """Show what a filter leaves; it is remembered once it is typed."""
        self._view = replace(self._view, filter=self._line.typed)
        self._fill()
        if not message.typing:
            self._keep()

    def on_marked(self, message: Marked) -> None:
        """Say how many are marked."""
        self._entitle()

    def on_head_clicked(self, message: HeadClicked) -> None:
        """Sort by another column; turn the order around if it is the same."""
        order, chosen = self._view.order, ticketindex.order_at(message.column)
        if chosen is not None and chosen.field == order.field:
            self.action_reverse()
        elif chosen is not None:
            self._change(replace(self._view, order=chosen))

    def action_filter(self) -> None:
        """Open the line of the filter."""
        self._line.open()

    def action_clear(self) -> None:
        """Show all again; if that is so already, take all marks away."""
        if not self._line.value:
            self._table.mark(())
        self._line.close()
        self._entitle()

    def action_which(self) -> None:
        """Show what runs picked, then all pruned levels, then only winning tickets."""
        which = WHICH[(WHICH.index(self._view.which) + 1) % len(WHICH)]
        self._change(replace(self._view, which=which))

    def action_sort(self, by: int) -> None:
        """Sort by the next field."""
        at = next(i for i, one in enumerate(ORDERS) if one.field == self._view.order.field)
        self._change(replace(self._view, order=ORDERS[(at + by) % len(ORDERS)]))

    def action_reverse(self) -> None:
        """Turn the order around."""
        order = self._view.order
        self._change(replace(self._view, order=order._replace(descending=not order.descending)))

    @property
    def _table(self) -> TicketTable:
        return self.query_one(TicketTable)

    @property
    def _line(self) -> FilterLine:
        return self.query_one(FilterLine)

    def _change(self, view: TicketView) -> None:
        self._view = view
        self._fill()
        self._keep()

    def _keep(self) -> None:
        """Have the view remembered if it is another."""
        if self._view != self._kept:
            self._kept = view = self._view
            self.post_message(Act(lambda desk: desk.memory.tickets(view)))

    def _restore(self, view: TicketView) -> None:
        """Go on as the last session was left."""
        self._kept = self._view = view
        self._line.take(view.filter)
        self._fill()

    def _fill(self) -> None:
        view, wanted = self._view, self._line.filter
        found = ticketindex.chosen(self._tickets.values(), view.which, wanted)
        found = ticketindex.ordered(found, (view.order,))
        grid = self._table.grid
        grid.columns = ticketindex.table_columns(view.order)
        grid.empty = EMPTY[view.which] if wanted.node is None else "no ticket is like that"
        colours = self.board.colours
        rows = [ticketindex.row(one, colours.get(one.group.id, "")) for one in found]
        self._table.show(rows, self._tickets)
        grid.refresh()  # the head, or what is said of an empty table, may be another
        self._entitle()

    def _entitle(self) -> None:
        """Say how many tickets there are, and by what they are sorted."""
        view, marked = self._view, len(self._table.marked)
        title = f"tickets  {len(self._table.grid.rows):,} {view.which}, by {view.order.field.name}"
        if self._line.said:
            title += f"  {self._line.said}"
        if marked:
            title += f"  {marked} marked"
        self._table.entitle(Content(title))
