"""Asks which evaluations of tickets are to be made, and of which tickets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.binding import Binding

from lthtui.messages import Highlighted, Marked
from lthtui.screens.picker import PickScreen
from lthtui.table import Cell, Column, Row

if TYPE_CHECKING:
    from lthtui.evaluationdesk import Choice

WORDS = ("", "best", "dense", "last", "all")  # tickets; those that each names itself come first


class EvaluateScreen(PickScreen[tuple[tuple[str, ...], str]]):
    """Returns names and tickets: those that are marked, or else the one under the cursor.

    Args:
        runs: what names the runs on a command line.
        level: the ticket that it was asked for at, which is offered first.
        choices: all evaluations.
    """

    BINDINGS = [
        Binding("space", "choose", "Add/remove", priority=True, id="evaluate.toggle"),
        Binding("tab", "tickets", "Other tickets", priority=True, id="evaluate.tickets"),
    ]
    COLUMNS = (
        Column("evaluation", 0),
        Column("tickets", 2),
        Column("what it measures", 1, width=42),
    )
    MARKS = True
    KEYS = " "

    def __init__(self, runs: str, level: int | None, choices: Sequence[Choice]) -> None:
        super().__init__("Evaluate tickets", placeholder="type to search")
        self._runs, self._choices = runs, choices
        self._words = WORDS if level is None else (str(level), *WORDS)
        self._tickets = self._words[0]
        self._marked: tuple[str, ...] = ()

    def rows(self) -> list[Row]:
        """The evaluations that have what is typed in their names, or in what they measure."""
        typed = self.line.value.lower().split()
        return [
            Row(one.name, (Cell(one.name), Cell(one.levels, "dim"), Cell(one.about, "dim")))
            for one in self._choices
            if all(word in f"{one.name} {one.about}".lower() for word in typed)
        ]

    def fill(self) -> None:
        """Show the list anew, and what enter would do."""
        super().fill()
        self._tell()

    def on_highlighted(self, message: Highlighted) -> None:
        """Another one is meant while none is marked."""
        message.stop()
        self._tell()

    def on_marked(self, message: Marked) -> None:
        """A click before a name adds or removes it, as space does."""
        message.stop()
        self.action_choose()

    def action_choose(self) -> None:
        """Add the evaluation under the cursor, or remove it."""
        if (name := self.grid.cursor) is None:
            return
        kept = tuple(one for one in self._marked if one != name)
        self._marked = kept if name in self._marked else (*kept, name)
        self.grid.mark(self._marked)
        self.grid.action_move(1)
        self._tell()

    def action_tickets(self) -> None:
        """Go to the next choice of tickets."""
        at = self._words.index(self._tickets) + 1
        self._tickets = self._words[at % len(self._words)]
        self._tell()

    def action_accept(self) -> None:
        """Answer with what is marked, or with what is under the cursor."""
        if names := self._names:
            self.dismiss((names, self._tickets))

    @property
    def _names(self) -> tuple[str, ...]:
        cursor = self.grid.cursor
        return self._marked or ((cursor,) if cursor else ())

    def _tell(self) -> None:
        """Say what is measured, of which tickets, and how a command line says it."""
        tickets = self._tickets
        which = f"level {tickets}" if tickets.isdecimal() else tickets or "what each names itself"
        level = f" --level {tickets}" if tickets else ""
        names = ",".join(self._names) or "NAMES"
        about = next((one.about for one in self._choices if one.name == self.grid.cursor), "")
        said = f"lthtui evaluate {self._runs} --with {names}{level}"
        self.say(f"{about}\ntickets: {which} (tab)\n{said}")
