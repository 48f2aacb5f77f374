"""Asks once before runs are queued: how many, at what cost, and when they have their turn."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Select, Static

from lthtui.desk import Wish
from lthtui.widgets.tick import Tick


class EnqueueScreen(ModalScreen[Wish]):
    """Returns when the runs are to have their turn; None if they are not to be queued.

    Args:
        after: names and ids of runs that they may wait for.
    """

    BINDINGS = [
        Binding("y", "queue", "Queue", id="enqueue.yes"),
        Binding("escape,n", "dismiss(None)", "Cancel", id="enqueue.no"),
    ]

    def __init__(self, question: str, detail: str, after: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._question, self._detail, self._after = question, detail, after

    def compose(self) -> ComposeResult:
        """Question, cost, choices and two buttons; no is in focus."""
        with Vertical(id="dialog"):
            yield Static(self._question, id="question", markup=False)
            yield Static(self._detail, id="detail", markup=False)
            with Horizontal(classes="choice"):
                yield Static("priority")
                yield Input("0", type="integer", id="priority", compact=True)
            with Horizontal(classes="choice"):
                yield Static("after")
                yield Select(self._after, prompt="no other run", id="after", compact=True)
            with Horizontal(classes="choice"):
                yield Static("hold")
                yield Tick("until it is released", id="hold", compact=True)
            with Horizontal(id="buttons"):
                yield Button("No (n)", id="no")
                yield Button("Queue (y)", variant="warning", id="yes")

    def on_mount(self) -> None:
        """The harmless answer is the one that enter gives."""
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer by a button."""
        if event.button.id == "yes":
            self.action_queue()
        else:
            self.dismiss(None)

    def action_queue(self) -> None:
        """Answer yes."""
        typed = self.query_one("#priority", Input)
        chosen = self.query_one("#after", Select)
        level = int(typed.value) if typed.value.strip("+-") else 0
        after = () if chosen.is_blank() else (str(chosen.value),)
        hold = self.query_one("#hold", Tick).value
        self.dismiss(Wish(max(-1000, min(level, 1000)), hold, after))
