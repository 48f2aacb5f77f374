"""What is wrong with a spec, in words: all of it, or whole lines for what the cursor is on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual import events
from textual.widget import Widget
from textual.widgets import Static

from lthtui import blame
from lthtui.text import clean_line
from lthtui.widgets.tones import tone

if TYPE_CHECKING:
    from lthtui.yamlfile import Problem

WRONG, ABSENT = ("✗", "failed"), ("◌ no data:", "name")  # signs of problems, and their tones


def worded(widget: Widget, problem: Problem) -> Text:
    """A problem behind its sign and its place."""
    sign, ink = ABSENT if problem.absent else WRONG
    place = f"{problem.mark.line}:{problem.mark.column} " if problem.mark else ""
    said = Text(f"{sign} {place}", tone(widget, ink, bold=True))
    return said.append(clean_line(problem.message, 1000), tone(widget, ""))


class ProblemLine(Static):
    """The problem of the line that the cursor is in, or the first; a click leads to the next."""

    def show(self, problems: Sequence[Problem], line: int) -> None:
        """Show one of these, if there are any; lines count from 1."""
        found = blame.at_line(problems, line)
        self.set_class(found is not None, "-wrong")
        if found is not None:
            at, problem = found
            number = f"{at} of {len(problems)} " if len(problems) > 1 else ""
            self.update(Text(number, tone(self, "dim")).append_text(worded(self, problem)))

    async def on_click(self, event: events.Click) -> None:
        """Go where the next problem is."""
        await self.run_action("screen.problem")
