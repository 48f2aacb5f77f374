"""Panes side by side, of which a narrow terminal shows the one in use."""

from __future__ import annotations

from collections.abc import Sequence

from textual.widget import Widget

from lthtui.screens.base import Watching


class PanedScreen(Watching):
    """Marks the pane in use by the class `-shown`; what shows or hides panes are styles.

    Attributes:
        PANES: their ids, in the order in which one goes through them.
    """

    PANES: Sequence[str] = ()

    def action_pane(self, by: int) -> None:
        """Go to the next pane; in a narrow terminal it takes the place of this one."""
        at = next(at for at, name in enumerate(self.PANES) if self.pane(name).has_class("-shown"))
        self.show_pane(self.PANES[(at + by) % len(self.PANES)])

    def on_descendant_focus(self) -> None:
        """What was clicked is the pane in use, too."""
        shown = next((one for one in self.PANES if self.pane(one).has_focus_within), None)
        if shown is not None:
            self.mark_shown(shown)

    def show_pane(self, name: str) -> None:
        """Go to a pane."""
        self.mark_shown(name)
        self.pane(name).focus()

    def mark_shown(self, name: str) -> None:
        """Note that a pane is the one in use."""
        for one in self.PANES:
            self.pane(one).set_class(one == name, "-shown")

    def pane(self, name: str) -> Widget:
        """A pane by its id."""
        return self.query_one(f"#{name}")
