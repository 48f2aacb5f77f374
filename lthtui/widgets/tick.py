"""A box to tick: on or off is told by the sign in it, in every theme and without colour."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Checkbox


class Tick(Checkbox):
    """Textual's checkbox, whose own sign is there also while it is off, in a darker colour."""

    def render(self) -> Content:
        """Draw the box before what it stands for."""
        label = self.label.pad(1, 1).stylize_before(self.get_visual_style("toggle--label"))
        return Content.assemble("[x]" if self.value else "[ ]", label)
