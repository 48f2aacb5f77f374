"""The first line: the places to go to, which store, how many runs of each status, and the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from lthtui.board import GLYPHS, duration
from lthtui.widgets.tones import tone

PLACES = ("runs", "queue", "compare", "tickets", "specs")  # by the number of their key, from 1


class TopBar(Widget):
    """One line; `clock` gives seconds since 1970, `here` is the place that is in view.

    Attributes:
        since: when what is shown was read (seconds since 1970), if it can't be read again now.
    """

    def __init__(self, root: str, clock: Callable[[], float], here: str) -> None:
        super().__init__()
        self._root, self._clock, self._here = root, clock, here
        self._counts: Mapping[str, int] = {}
        self.since: float | None = None

    def on_mount(self) -> None:
        """Keep the time."""
        self.set_interval(1.0, self.refresh)

    def show(self, counts: Mapping[str, int]) -> None:
        """Show other numbers of runs."""
        self._counts = counts
        self.refresh()

    def render(self) -> Text:
        """Draw the line; in a narrow one words give way, then the path, then the time."""
        now = Text(time.strftime("%H:%M:%S", time.localtime(self._clock())), tone(self, "dim"))
        for parts in (
            [self._places(), self._path(24), self._states(words=True), now],
            [self._places(), self._states(words=True), now],
            [self._places(), self._states(words=False), now],
            [self._places(), self._states(words=False)],
        ):
            room = self.size.width - 1 - sum(part.cell_len + 2 for part in parts[:-1])
            if room >= parts[-1].cell_len:
                break
        gap = " " * max(2 + room - parts[-1].cell_len, 1)
        line = Text("  ").join(parts[:-1])
        line = Text.assemble(" ", line, gap, parts[-1])
        line.no_wrap = True
        return line

    def _places(self) -> Text:
        """The places, each a link to itself by the mouse."""
        line = Text()
        for number, place in enumerate(PLACES, start=1):
            here = place == self._here
            look = tone(self, "name" if here else "dim", bold=here)
            link = Style.from_meta({"@click": f"app.go('{place}')"})
            line.append(f"{number} {place.title()}", look + link)
            line.append("  " if number < len(PLACES) else "")
        return line

    def _path(self, most: int) -> Text:
        path = self._root
        while cell_len(path) > most:
            path = "…" + path[2:]
        return Text(path, tone(self, "dim"))

    def _states(self, words: bool) -> Text:
        shown = [one for one in GLYPHS if self._counts.get(one)]
        texts = (f"{GLYPHS[one]} {self._counts[one]}" + f" {one}" * words for one in shown)
        pairs = zip(texts, shown, strict=True)
        states = [Text(text, style=tone(self, one)) for text, one in pairs]
        if self.since is not None:
            age = duration(max(self._clock() - self.since, 0.0))
            states.insert(0, Text(f"{age} old", tone(self, "failed")))
        return Text("  ").join(states)
