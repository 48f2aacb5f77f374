"""An editor for specs: YAML in colours, and what is wrong marked where it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.geometry import Offset
from textual.strip import Strip
from textual.widgets import TextArea

from lthtui.text import clean_line
from lthtui.widgets.tones import tone

if TYPE_CHECKING:
    from lthtui.yamlfile import Problem

_PARTS = re.compile(
    r"(?P<comment>(?:^|(?<=\s))#.*)|(?P<text>'[^']*'|\"(?:\\.|[^\"\\])*\")"
    r"|(?P<key>[A-Za-z_][\w.-]*(?=\s*:(?:\s|$)))|(?P<number>(?<![\w.])[-+]?\d[\w.+-]*)"
)
_TONES = {"comment": "dim", "text": "finished", "key": "name", "number": "winning"}
_WORD = re.compile(r"[^\s,:\[\]{}]+|.")


class SpecEditor(TextArea):
    """Shows a problem behind its line as far as there is room; tab leaves the editor."""

    BINDINGS = [
        Binding("ctrl+home", "edge(False)", "First line", show=False, id="editor.first"),
        Binding("ctrl+end", "edge(True)", "Last line", show=False, id="editor.last"),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, show_line_numbers=True, soft_wrap=False, tab_behavior="focus")
        self.indent_width = 2
        self._problems: Mapping[int, Problem] = {}

    def mark(self, problems: Sequence[Problem]) -> None:
        """Mark these problems, and no others."""
        placed = [one for one in reversed(problems) if one.mark]
        self._problems = {one.mark.line - 1: one for one in placed if one.mark}
        self.notify_style_update()
        self.refresh()

    def put(self, text: str) -> None:
        """Show another text, from its beginning and with nothing marked; nobody typed that."""
        self.mark(())
        with self.prevent(TextArea.Changed):
            self.load_text(text)
        self.scroll_home(animate=False, force=True)

    def go_to(self, line: int, column: int) -> None:
        """Put the cursor on a place, counted from 1."""
        self.move_cursor((line - 1, max(column - 1, 0)), center=True)

    def action_edge(self, last: bool) -> None:
        """Go to the beginning or the end of the text."""
        self.move_cursor(self.document.end if last else self.document.start)

    def scroll_cursor_visible(self, center: bool = False, animate: bool = False) -> Offset:
        """Follow the cursor, and show lines from their beginning where it can be seen, too."""
        offset = super().scroll_cursor_visible(center, animate)
        room = self.size.width - self.gutter_width - 3  # as of the cursor, which is three wide
        if self.scroll_x and self._column < room:
            self.scroll_to(x=0, animate=False, force=True)
        return offset

    def take(self, text: str) -> None:
        """Change the text to this one in a single step, which can be undone."""
        before = self.text
        begin = _common(before, text)
        rest = min(len(before), len(text)) - begin
        end = min(_common(before[::-1], text[::-1]), rest)
        old, new = before[begin : len(before) - end], text[begin : len(text) - end]
        if old or new:
            start, stop = self._place(begin), self._place(begin + len(old))
            self.replace(new, start, stop, maintain_selection_offset=True)

    def get_line(self, line_index: int) -> Text:
        """A line in colours; the word that a problem is about is underlined."""
        line = super().get_line(line_index)
        for part in _PARTS.finditer(line.plain):
            look = tone(self, _TONES[part.lastgroup or "text"])
            line.stylize(Style(color=look.color), part.start(), part.end())
        problem = self._problems.get(line_index)
        if problem and problem.mark:
            begin = min(problem.mark.column - 1, len(line.plain))
            word = _WORD.match(line.plain, begin)
            wrong = tone(self, "failed") + Style(underline=True, bold=True)
            line.stylize(wrong, begin, word.end() if word else None)
        return line

    def render_line(self, y: int) -> Strip:
        """A line with its problem behind it."""
        strip = super().render_line(y)
        index = y + self.scroll_offset.y
        problem = self._problems.get(index)
        if problem is None or index >= self.document.line_count:
            return strip
        used = self.gutter_width + cell_len(self.document.get_line(index).expandtabs(2)) + 1
        used = max(used - self.scroll_offset.x, self.gutter_width)
        room = self.size.width - used
        if room < 8:
            return strip
        words = clean_line(f"◀ {problem.message}")
        said = Strip([Segment(words, tone(self, "failed"))]).crop_extend(0, room, None)
        return Strip.join([strip.crop(0, used), said.apply_style(self.rich_style)])

    async def _on_key(self, event: events.Key) -> None:
        """A new line begins as far to the right as the one before, further behind a colon."""
        if event.key == "enter" and not self.read_only:
            row, column = self.cursor_location
            before = self.document.get_line(row)[:column]
            indent = len(before) - len(before.lstrip(" "))
            indent += 2 * before.split(" #")[0].rstrip().endswith(":")
            event.stop()
            event.prevent_default()
            self.replace("\n" + " " * indent, *self.selection)
            return
        await super()._on_key(event)

    @property
    def _column(self) -> int:
        """The cells before the cursor in its line."""
        row, column = self.cursor_location
        return cell_len(self.document.get_line(row)[:column].expandtabs(2))

    def _place(self, index: int) -> tuple[int, int]:
        """The line and column of a character."""
        before = self.text[:index]
        return before.count("\n"), index - (before.rfind("\n") + 1)


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    least = min(len(one), len(other))
    return next((at for at in range(least) if one[at] != other[at]), least)
