"""Asks which controls of a ticket are to be queued."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from lthtui.messages import Highlighted, Marked, Opened
from lthtui.table import Cell, Column, Row
from lthtui.widgets.grid import Grid

ABOUT = {
    "same_layer": "the mask's places drawn again within each layer",
    "random": "drawn again anywhere",
    "uniform": "drawn again, every layer as dense as all",
    "erk": "drawn again, layers as dense as Erdős–Rényi kernels",
    "reinit": "the same mask, other first weights",
    "shuffle": "the same mask, first weights shuffled within layers",
    "labels": "a mask found on random labels by a run of its own",
    "small_dense": "a narrower dense network of as many parameters",
    "null": "as many trainings and picks, without pruning",
    "budget": "one dense training as long as the whole run",
}


class KindsScreen(ModalScreen[tuple[str, ...]]):
    """Returns the kinds that are marked, or else the one under the cursor; None for none.

    Args:
        command: what asks a command line for controls of the ticket, but for their kinds.
    """

    BINDINGS = [
        Binding("space", "mark", "Mark", id="kinds.mark"),
        Binding("a", "all", "Mark all", id="kinds.all"),
        Binding("escape,q", "dismiss(None)", "Cancel", id="kinds.cancel"),
    ]

    def __init__(self, label: str, command: str) -> None:
        super().__init__()
        self._label, self._command = label, command
        self._marked: frozenset[str] = frozenset()

    def compose(self) -> ComposeResult:
        """A line for each kind."""
        with Vertical(id="dialog"):
            yield Static(f"Controls of {self._label}", id="question", markup=False)
            columns = (Column("kind", 0), Column("what is left of the ticket", 1))
            yield Grid(columns, id="kinds", marks=True)
            yield Static(id="detail", markup=False)

    def on_mount(self) -> None:
        """Show the kinds."""
        grid = self.query_one(Grid)
        grid.show([Row(kind, (Cell(kind), Cell(what, "dim"))) for kind, what in ABOUT.items()])
        grid.focus()

    def on_highlighted(self, message: Highlighted) -> None:
        """Another one is meant while none is marked."""
        message.stop()
        self._tell()

    def on_opened(self, message: Opened) -> None:
        """Take what is marked."""
        self.dismiss(self._meant)

    def on_marked(self, message: Marked) -> None:
        """Mark these kinds."""
        self._mark(message.keys)

    def action_mark(self) -> None:
        """Mark the kind under the cursor, or take its mark away; go to the next."""
        grid = self.query_one(Grid)
        self._mark(self._marked ^ {grid.cursor or ""})
        grid.action_move(1)

    def action_all(self) -> None:
        """Mark all kinds; again, none."""
        self._mark(frozenset() if len(self._marked) == len(ABOUT) else frozenset(ABOUT))

    def _mark(self, kinds: frozenset[str]) -> None:
        self._marked = kinds
        self.query_one(Grid).mark(kinds)
        self._tell()

    @property
    def _meant(self) -> tuple[str, ...]:
        marked = tuple(kind for kind in ABOUT if kind in self._marked)
        return marked or (self.query_one(Grid).cursor or "",)

    def _tell(self) -> None:
        """Say which keys there are, and how a command line asks for the same."""
        keys = "space marks, a all, enter queues them, esc none"
        said = f"{keys}\n{self._command} --kind {','.join(self._meant)}"
        self.query_one("#detail", Static).update(said)
