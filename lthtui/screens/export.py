"""Asks for the name of a file to write."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static
from textual.widgets.input import Selection

from engine.errors import UsageError


class ExportScreen(ModalScreen[Path]):
    """Returns a file of one of the endings that `exports.check` takes; None for none."""

    BINDINGS = [Binding("escape", "dismiss", "Write nothing", id="export.cancel")]

    def __init__(self, proposed: str) -> None:
        super().__init__()
        self._proposed = proposed

    def compose(self) -> ComposeResult:
        """A line for the name, and what the endings mean."""
        with Vertical(id="dialog"):
            yield Static("Export to", id="question", markup=False)
            yield Input(self._proposed, id="file", compact=True, select_on_focus=False)
            yield Static(HINT, id="detail", markup=False)

    def on_mount(self) -> None:
        """Have the name typed over, but for its ending."""
        line = self.query_one(Input)
        line.focus()
        line.selection = Selection(0, len(Path(self._proposed).stem))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the name, or say what is wrong with it."""
        from lthtui import exports

        file = Path(event.value.strip())
        try:
            exports.check(file)
        except UsageError as error:
            self.query_one("#detail", Static).update(str(error))
            return
        self.dismiss(file)


HINT = """\
.md .tex   the tables, with the test in words
.csv       the values of every seed, too
.png .svg .pdf   the chart as it is shown"""
