"""The tags of one or several runs, as they are now: added, changed and removed in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from engine.errors import UsageError
from lthtui import tagging
from lthtui.board import Board
from lthtui.messages import Act, Opened
from lthtui.runview import RunView
from lthtui.screens.base import Watching
from lthtui.widgets.grid import Grid
from lthtui.widgets.keybar import KeyBar

HINT = "enter types over a tag; changes are made at once, here and in MLflow"


class TagsScreen(Watching, ModalScreen[None]):
    """Every change is made at once; what the board says of the runs is shown."""

    BINDINGS = [
        Binding("a", "add", "Add", id="tags.add"),
        Binding("delete,x", "remove", "Remove", id="tags.remove"),
        Binding("escape", "leave", "Close", id="tags.close"),
    ]

    def __init__(self, run_ids: Sequence[str]) -> None:
        super().__init__()
        self._run_ids = run_ids
        self._edited = ""  # the tag that is typed over; empty for a new one

    def compose(self) -> ComposeResult:
        """The tags, a line to type in, what is wrong with that, and the keys."""
        with Vertical(id="dialog") as box:
            many = len(self._run_ids)
            box.border_title = Content(
                f"tags of {self._run_ids[0] if many == 1 else f'{many} runs'}"
            )
            yield Grid(tagging.COLUMNS, "no tags: a adds one", id="tags")
            yield Input(placeholder="key=value", id="typed", compact=True, select_on_focus=False)
            yield Static(HINT, id="detail", markup=False)
            yield KeyBar()

    def on_mount(self) -> None:
        """Show the tags."""
        self._fill()
        self.query_one(Grid).focus()

    def show_board(self, board: Board) -> None:
        """Show the tags as they are now."""
        super().show_board(board)
        if self.is_mounted:
            self._fill()

    def on_opened(self, message: Opened) -> None:
        """Type over the tag under the cursor."""
        try:
            self._type(tagging.typed(message.key, self._runs), message.key)
        except UsageError as error:
            self._explain(str(error))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Make the change, or say why it cannot be made."""
        try:
            changes = tagging.changes(event.value.strip(), self._edited)
        except UsageError as error:
            self._explain(str(error))
            return
        self._close()
        self._change(changes)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While somebody types, keys are letters; what is not there is not removed."""
        if action == "remove":
            return True if self.query_one(Grid).rows else None
        return True

    def action_add(self) -> None:
        """Type a new tag."""
        self._type("", "")

    def action_remove(self) -> None:
        """Remove the tag under the cursor from all of the runs."""
        if key := self.query_one(Grid).cursor:
            self._change({key: None})

    def action_leave(self) -> None:
        """Leave what is typed as it was; if nothing is typed, close."""
        if self.query_one("#typed").has_class("-open"):
            self._close()
        else:
            self.dismiss()

    @property
    def _runs(self) -> list[RunView]:
        found = (self.board.runs.get(run) for run in self._run_ids)
        return [run for run in found if run is not None]

    def _fill(self) -> None:
        self.query_one(Grid).show(tagging.rows(self._runs))
        self.refresh_bindings()

    def _change(self, changes: Mapping[str, str | None]) -> None:
        runs = self._runs
        self.post_message(Act(lambda desk: desk.notes.tag(runs, changes), lasting=True))

    def _type(self, text: str, edited: str) -> None:
        self._edited = edited
        line = self.query_one("#typed", Input)
        line.value = text
        line.cursor_position = len(text)
        line.add_class("-open")
        line.focus()
        self._explain("key=value: enter takes it for all of these runs, esc leaves it")

    def _close(self) -> None:
        self.query_one("#typed").remove_class("-open")
        self.query_one(Grid).focus()
        self._explain(HINT)

    def _explain(self, text: str) -> None:
        self.query_one("#detail", Static).update(text)
