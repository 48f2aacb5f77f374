"""What a spec would do, or why it would do nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from lthtui.widgets.problems import worded
from lthtui.widgets.tones import tone

if TYPE_CHECKING:
    from lthtui.prospect import Prospect


class PlanView(VerticalScroll):
    """Problems, or the plan and the command that does the same."""

    def compose(self) -> ComposeResult:
        """A text that may be longer than the pane."""
        yield Static(id="lines")

    def show(self, prospect: Prospect) -> None:
        """Show what is known of a spec."""
        shown = Text()
        for one in prospect.problems:
            shown.append_text(worded(self, one)).append("\n")
        for line in prospect.lines:
            shown.append(f"{line.text}\n", tone(self, line.tone))
        if prospect.command:
            saved = "  (once it is saved)" if prospect.saved else ""
            shown.append("\n$ ", tone(self, "dim"))
            shown.append(f"{prospect.command}{saved}", tone(self, "name"))
        self.query_one("#lines", Static).update(shown)
