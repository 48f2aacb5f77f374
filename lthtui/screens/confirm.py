"""A question with yes and no; enter takes neither by accident, because no is in focus."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

NAMED = 6  # runs that a question names one by one


class ConfirmScreen(ModalScreen[bool]):
    """Returns whether the user said yes."""

    BINDINGS = [
        Binding("y", "answer(True)", "Yes", id="confirm.yes"),
        Binding("n,escape,q", "answer(False)", "No", id="confirm.no"),
        Binding("left,right,h,l", "app.focus_next", show=False, id="confirm.other"),
    ]

    def __init__(self, question: str, detail: str, verb: str) -> None:
        super().__init__()
        self._question, self._detail, self._verb = question, detail, verb

    def compose(self) -> ComposeResult:
        """Question, what follows from it, and two buttons."""
        with Vertical(id="dialog"):
            yield Static(self._question, id="question", markup=False)
            yield Static(self._detail, id="detail", markup=False)
            with Horizontal(id="buttons"):
                yield Button("No (n)", id="no")
                yield Button(f"{self._verb} (y)", variant="warning", id="yes")

    def on_mount(self) -> None:
        """The harmless answer is the one that enter gives."""
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer by a button."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Answer by a key."""
        self.dismiss(yes)


def listed(run_ids: Sequence[str]) -> str:
    """Runs as a question names them; of many only the first."""
    if len(run_ids) == 1:
        return run_ids[0]
    shown = "\n".join(f"  {run}" for run in run_ids[:NAMED])
    more = f"\n  and {len(run_ids) - NAMED} more" if len(run_ids) > NAMED else ""
    return f"these {len(run_ids)} runs\n{shown}{more}"
