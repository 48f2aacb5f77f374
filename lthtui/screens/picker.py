"""What questions with a long list of answers share: a line to type in, and what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from lthtui.messages import Opened
from lthtui.table import Column, Row
from lthtui.widgets.grid import Grid
from lthtui.widgets.keybar import KeyBar

Picked = TypeVar("Picked")


class Line(Input):
    """A line to type in, which leaves some characters to the keys of its screen."""

    def __init__(self, typed: str, placeholder: str, left: str) -> None:
        super().__init__(typed, placeholder, id="typed", compact=True)
        self._left = left

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether a key is typed."""
        return not (character and character in self._left) and super().check_consume_key(
            key, character
        )


class PickScreen(ModalScreen[Picked]):
    """A line that always has the focus, above a list; None if nothing is picked."""

    BINDINGS = [
        Binding("up", "move(-1)", "Up", show=False, priority=True, id="pick.up"),
        Binding("down", "move(1)", "Down", show=False, priority=True, id="pick.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, priority=True, id="pick.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, priority=True, id="pick.page_down"),
        Binding("enter", "accept", "Take it", priority=True, id="pick.take"),
        Binding("escape", "dismiss(None)", "Cancel", priority=True, id="pick.cancel"),
    ]
    COLUMNS: Sequence[Column] = ()
    MARKS = False
    KEYS = ""  # characters that are keys, and cannot be typed

    def __init__(self, question: str, typed: str = "", placeholder: str = "") -> None:
        super().__init__()
        self._question, self._typed, self._placeholder = question, typed, placeholder
        self.first = ""  # the row to begin at, or else the top one

    def compose(self) -> ComposeResult:
        """The question, the line, what is to be said of it, the list, and the keys."""
        with Vertical(id="dialog"):
            yield Static(self._question, id="question", markup=False)
            yield Line(self._typed, self._placeholder, self.KEYS)
            yield Static(id="remark", markup=False)
            yield Grid(self.COLUMNS, "nothing is like that", id="choices", marks=self.MARKS)
            yield KeyBar()

    def on_mount(self) -> None:
        """Show all that can be picked; what is typed goes to the line."""
        self.grid.can_focus = False
        self.line.focus()
        self.fill()
        self.grid.select(self.first)

    @property
    def grid(self) -> Grid:
        """The list."""
        return self.query_one(Grid)

    @property
    def line(self) -> Input:
        """What is typed."""
        return self.query_one(Input)

    def rows(self) -> list[Row]:
        """What the list shows for what is typed."""
        raise NotImplementedError

    def action_accept(self) -> None:
        """Answer with what is picked."""
        raise NotImplementedError

    def take(self) -> None:
        """Do with the row under the cursor what a double click means."""
        self.action_accept()

    def fill(self) -> None:
        """Show the list anew."""
        self.grid.show(self.rows())

    def say(self, text: str) -> None:
        """Say something about what is typed."""
        self.query_one("#remark", Static).update(Content(text))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what is found, from the best on."""
        event.stop()
        self.fill()
        self.grid.action_move(-len(self.grid.rows))

    def on_opened(self, message: Opened) -> None:
        """Take what was clicked on twice."""
        message.stop()
        self.take()

    def action_move(self, by: int) -> None:
        """Move in the list by rows."""
        self.grid.action_move(by)

    def action_page(self, by: int) -> None:
        """Move in the list by what is visible at a time."""
        self.grid.action_page(by)
