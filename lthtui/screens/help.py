"""All keys that work on the screen below, generated from its bindings."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

FRAME = (8, 2)  # cells beside the list, and lines above and below it, that the box takes
GAP = "   "  # between two columns


class HelpScreen(ModalScreen[None]):
    """Shows (keys, description) pairs until it is closed."""

    BINDINGS = [Binding("escape,q,question_mark,enter", "close", "Close", id="help.close")]

    def __init__(self, keys: list[tuple[str, str]]) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        """A list in a box."""
        with VerticalScroll(id="dialog") as box:
            box.border_title = "keys"
            box.border_subtitle = "esc closes"
            yield Static(id="keys", markup=False)

    def on_resize(self, event: events.Resize) -> None:
        """Use as many columns as it takes to see all, or as there is room for."""
        room = (event.size.width - FRAME[0], event.size.height - FRAME[1])
        self.query_one("#keys", Static).update(arranged(self._keys, *room))

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()


def arranged(keys: Sequence[tuple[str, str]], width: int, height: int) -> str:
    """Keys and what they do, in the fewest columns that are no higher than that, if they fit."""
    key_width = max((cell_len(key) for key, _ in keys), default=0)
    cells = [f"{' ' * (key_width - cell_len(key))}{key}  {what}" for key, what in keys]
    widest = max(map(cell_len, cells), default=0)
    room = max((width + len(GAP)) // (widest + len(GAP)), 1)
    columns = min(room, ceil(len(cells) / max(height, 1)))
    rows = ceil(len(cells) / max(columns, 1))
    lines = (cells[at::rows] for at in range(rows))
    padded = ([one + " " * (widest - cell_len(one)) for one in line] for line in lines)
    return "\n".join(GAP.join(line).rstrip() for line in padded)


def keys_of(screen: Screen[Any]) -> list[tuple[str, str]]:
    """Keys of a screen with what they do, those of the widget in focus and its mouse last."""
    keys: dict[str, list[str]] = {}
    bindings = screen.active_bindings.values()
    for active in sorted(bindings, key=lambda one: one.node is screen.focused):
        if active.binding.id and active.binding.description:
            shown = screen.app.get_key_display(active.binding)
            keys.setdefault(active.binding.description, []).append(shown)
    found = [(" ".join(dict.fromkeys(names)), what) for what, names in keys.items()]
    return [*found, *getattr(screen.focused, "MOUSE", ())]
