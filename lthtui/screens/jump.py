"""Jump keys: a letter on everything that can have the focus; pressing it goes there."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Label

LETTERS = "asdfghjklwertyuiopzxcvbnm"  # the easiest to reach first


class JumpScreen(ModalScreen[Widget]):
    """Returns the widget whose letter was pressed, or none."""

    def __init__(self, targets: Sequence[Widget]) -> None:
        super().__init__()
        seen = [one for one in targets if one.region and one.visible]
        self._targets = dict(zip(LETTERS, seen, strict=False))

    def compose(self) -> ComposeResult:
        """A letter on the corner of each."""
        for letter, target in self._targets.items():
            label = Label(f" {letter} ", classes="jump", markup=False)
            label.absolute_offset = target.region.offset
            yield label

    def on_key(self, event: events.Key) -> None:
        """Go where a letter says; any other key stays here."""
        event.stop()
        self.dismiss(self._targets.get(event.character or ""))

    def on_click(self) -> None:
        """A click ends it, too."""
        self.dismiss(None)
