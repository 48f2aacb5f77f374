"""The first line: which store, how many runs of each status, and the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from rich.text import Text
from textual.widget import Widget

from lthtui.board import GLYPHS
from lthtui.widgets.tones import tone


class TopBar(Widget):
    """One line; `clock` gives seconds since 1970."""

    def __init__(self, root: str, clock: Callable[[], float]) -> None:
        super().__init__()
        self._root, self._clock = root, clock
        self._counts: Mapping[str, int] = {}

    def on_mount(self) -> None:
        """Keep the time."""
        self.set_interval(1.0, self.refresh)

    def show(self, counts: Mapping[str, int]) -> None:
        """Show other numbers of runs."""
        self._counts = counts
        self.refresh()

    def render(self) -> Text:
        """Draw the line; in a narrow one the words give way, then the path's beginning."""
        now = time.strftime("%H:%M:%S", time.localtime(self._clock()))
        name, states = " lthtui  ", self._states(words=True)
        if self.size.width - len(name) - states.cell_len - len(now) < min(len(self._root), 30) + 5:
            states = self._states(words=False)
        room = self.size.width - len(name) - states.cell_len - len(now) - 5
        root = self._root if len(self._root) <= room else "…" + self._root[1 - max(room, 1) :]
        gap = room - len(root) + 2
        dim = tone(self, "dim")
        parts = (name, tone(self, "name", bold=True)), (f"{root}  ", dim), states
        line = Text.assemble(*parts, " " * max(gap, 1), (now, dim))
        line.no_wrap = True
        return line

    def _states(self, words: bool) -> Text:
        shown = [one for one in GLYPHS if self._counts.get(one)]
        texts = (f"{GLYPHS[one]} {self._counts[one]}" + f" {one}" * words for one in shown)
        pairs = zip(texts, shown, strict=True)
        return Text("  ").join(Text(text, style=tone(self, one)) for text, one in pairs)
