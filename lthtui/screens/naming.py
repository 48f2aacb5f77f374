"""Asks for a name, with one suggested."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static


class NameScreen(ModalScreen[str]):
    """Returns the name; None if none is wanted.

    Args:
        blank: whether no name at all is an answer, too.
    """

    BINDINGS = [Binding("escape", "dismiss(None)", "Cancel", id="name.cancel")]

    def __init__(self, question: str, detail: str, suggested: str, blank: bool = False) -> None:
        super().__init__()
        self._question, self._detail, self._suggested = question, detail, suggested
        self._blank = blank

    def compose(self) -> ComposeResult:
        """The question and a line to type in."""
        with Vertical(id="dialog"):
            yield Static(self._question, id="question", markup=False)
            yield Static(self._detail, id="detail", markup=False)
            yield Input(self._suggested, id="name", compact=True, select_on_focus=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take what was typed."""
        name = event.value.strip()
        self.dismiss(name if name or self._blank else None)
