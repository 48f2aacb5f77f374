"""A note is written here where no editor of the user's choice can be opened."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import TextArea

from lthtui.screens.confirm import ConfirmScreen
from lthtui.widgets.keybar import KeyBar


class NoteScreen(ModalScreen[str]):
    """Returns the text; None if nothing is to be changed."""

    BINDINGS = [
        Binding("f2", "save", "Save", id="note.save", priority=True),
        Binding("escape", "leave", "Leave it", id="note.leave", priority=True),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """The text and the keys."""
        with Vertical(id="dialog") as box:
            box.border_title = Content(self._title)
            yield TextArea(self._text, id="text", soft_wrap=True, tab_behavior="focus")
            yield KeyBar()

    def on_mount(self) -> None:
        """Go on at the end of what there is."""
        area = self.query_one(TextArea)
        area.move_cursor(area.document.end)
        area.focus()

    def action_save(self) -> None:
        """Take what was written."""
        self.dismiss(self.query_one(TextArea).text)

    def action_leave(self) -> None:
        """Leave the note as it was, after asking about what was written."""
        if self.query_one(TextArea).text == self._text:
            self.dismiss(None)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.dismiss(None)

        question = "Leave the note as it was?"
        detail = "What was written here is lost. To keep it, say no and save it (F2)."
        self.app.push_screen(ConfirmScreen(question, detail, "Leave it"), answered)
