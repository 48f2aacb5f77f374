"""All keys that work on the screen below, generated from its bindings."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static


class HelpScreen(ModalScreen[None]):
    """Shows (keys, description) pairs until it is closed."""

    BINDINGS = [Binding("escape,q,question_mark,enter", "close", "Close", id="help.close")]

    def __init__(self, keys: list[tuple[str, str]]) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        """A list in a box."""
        width = max(len(key) for key, _ in self._keys)
        lines = (f"{key:>{width}}  {what}" for key, what in self._keys)
        with VerticalScroll(id="dialog") as box:
            box.border_title = "keys"
            box.border_subtitle = "esc closes"
            yield Static("\n".join(lines), markup=False)

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()
