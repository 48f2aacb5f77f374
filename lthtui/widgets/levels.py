"""The levels of runs that differ in their seed, and their tickets."""

from __future__ import annotations

from lthtui import levels
from lthtui.board import Group
from lthtui.messages import Folded
from lthtui.runview import RunView
from lthtui.ticketindex import Ticket
from lthtui.widgets.tickets import TicketTable


class Levels(TicketTable):
    """A row for each level; those of several runs unfold into the level of each seed."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(levels.COLUMNS, "no level has started yet", id=id)
        self._group, self._runs = Group("", "", ()), tuple[RunView, ...]()
        self._unfolded: frozenset[str] = frozenset()

    def about(self, group: Group, runs: tuple[RunView, ...]) -> None:
        """Show the levels of these runs of a group as they are now."""
        self._group, self._runs = group, runs
        self.show(levels.rows(runs, self._unfolded), levels.tickets(group, runs))

    @property
    def origin(self) -> tuple[tuple[RunView, ...], int | None]:
        """The runs that the row under the cursor stands for, and the level."""
        one = self.ticket
        if one is None or self.grid.cursor == str(one.level.index):
            return self._runs, one.level.index if one else None
        return (one.run,), one.level.index

    def compared(self) -> list[Ticket]:
        """Those marked; else all levels of one run, or one level of all seeds."""
        one = self.ticket
        if self.marked[1:] or one is None or not self._runs[1:]:
            return [ticket for ticket in super().compared() if ticket.level.ended]
        keys = levels.seeds(one.level.index, self._runs)
        return [self._tickets[key] for key in keys if self._tickets[key].level.ended]

    def on_folded(self, message: Folded) -> None:
        """Show or hide the seeds of a level."""
        message.stop()
        key = message.key.rpartition(":")[2]
        unfold = key not in self._unfolded if message.unfold is None else message.unfold
        self._unfolded = self._unfolded | {key} if unfold else self._unfolded - {key}
        if not unfold:
            self.grid.select(key)
        self.about(self._group, self._runs)
