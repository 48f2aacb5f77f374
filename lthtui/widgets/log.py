"""A log: it follows what is written until somebody scrolls up, and can be searched as a whole."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from lthtui import logpages
from lthtui.loglines import LogLine
from lthtui.logpages import Page
from lthtui.logwindow import LogWindow
from lthtui.messages import Ask
from lthtui.text import clean_line
from lthtui.widgets.lines import Lines

if TYPE_CHECKING:
    from lthtui.logsearch import LogSearch, Needle
    from lthtui.logtail import Chunk


class LogView(Vertical):
    """Lines above one line that says how they are shown.

    Args:
        file: whether it is a log, which grows; else it is a text.
    """

    BINDINGS = [
        Binding("home,g", "first", "First line", show=False, id="log.first"),
        Binding("end,G", "last", "Last line, follow", show=False, id="log.last"),
        Binding("slash", "search", "Find", id="log.search"),
        Binding("n", "found(1)", "Next match", id="log.next"),
        Binding("N", "found(-1)", "Match before", show=False, id="log.before"),
        Binding("escape", "drop", "End the search", show=False, id="log.drop"),
        Binding("w", "alarms", "Warnings and errors only", show=False, id="log.alarms"),
        Binding("W", "wrap", "Wrap long lines", show=False, id="log.wrap"),
        Binding("less_than_sign", "screen.turn(-1)", "Log before", show=False, id="log.run_before"),
        Binding("greater_than_sign", "screen.turn(1)", "Next log", show=False, id="log.next_run"),
    ]

    def __init__(self, file: bool = True, id: str | None = None) -> None:
        super().__init__(id=id)
        self._file = file
        self._path: Path | None = None
        self._window = LogWindow()
        self._following, self._alarms = file, False
        self._loading: object = None  # what is being read
        self._search: LogSearch | None = None
        self._searching: LogSearch | None = None  # the one of which a part is under way
        self._wanted: int | None = None  # a match at or behind this is to be gone to
        self._whose = self._trouble = ""

    def compose(self) -> ComposeResult:
        """The lines, and the line below them."""
        yield Lines(self._moved, self._draw)
        yield Input(placeholder="text, or ~pattern", compact=True)
        yield Static(classes="how", markup=False)

    def focus(self, scroll_visible: bool = True) -> LogView:
        """Give the focus to the lines."""
        self.query_one(Lines).focus(scroll_visible)
        return self

    def show(self, chunk: Chunk) -> None:
        """Take over what was written, or begin with another log."""
        if not chunk.fresh and chunk.path != self._path:
            return  # of the log that was shown before
        if chunk.fresh:
            self._path, self._following, self._loading = chunk.path, True, None
            self._trouble = ""
            if self._search:
                self._look_for(self._search.needle)
        if not self._alarms:
            self._window.grow(chunk)
        elif chunk.fresh:
            self._window = LogWindow()
            self._read_end()
        self._window.size = max(self._window.size, chunk.end)
        self._draw()
        self._search_on()

    def show_text(self, lines: Sequence[LogLine]) -> None:
        """Show all of a text, cleaned before, from its first line; lines begin at their number."""
        self._window.hold(Page(tuple(lines), 0, len(lines), len(lines)))
        self._look_for(self._search.needle if self._search else None)
        self._draw(0)

    def whose(self, said: str) -> None:
        """Say which one of several logs it is."""
        self._whose = said
        self._tell()

    # ---- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A text has no warnings; what is about matches needs some."""
        if action in ("found", "drop"):
            return self._search is not None
        return self._file or action not in ("alarms", "screen.turn")

    def action_first(self) -> None:
        """Go to the beginning of the log, however far that is."""
        self._following = False
        if self._path is None or self._window.begin == 0:
            self._draw(0)
        else:
            self._read_from(0)

    def action_last(self) -> None:
        """Go to the end, and follow."""
        self._following = True
        if self._path is None or self._window.at_end:
            self._draw()
        else:
            self._read_end()

    def action_wrap(self) -> None:
        """Have long lines go on below, or to the right."""
        lines = self.query_one(Lines)
        lines.wrap = not lines.wrap
        self._draw()

    def action_alarms(self) -> None:
        """Show warnings and errors only, or all lines again."""
        self._alarms = not self._alarms
        if self._following:
            self._read_end()
        else:
            self._read_from(self.query_one(Lines).top)
        self._look_for(self._search.needle if self._search else None)

    def action_search(self) -> None:
        """Open the line for what is looked for."""
        line = self.query_one(Input)
        line.add_class("-open")
        line.focus()

    def action_found(self, by: int) -> None:
        """Go to the next match or the one before."""
        if self._search is not None:
            lines = self.query_one(Lines)
            at = lines.top - (by > 0) if lines.chosen is None else lines.chosen
            self._choose(self._search.next(at, by))

    def action_drop(self) -> None:
        """Look for nothing."""
        self._look_for(None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Look for what was typed."""
        from lthtui.logsearch import Needle
        from lthtui.patterns import PatternError

        event.stop()
        try:
            needle = Needle(event.value) if event.value else None
        except PatternError as error:
            self._trouble = f"{error.problem}, at sign {error.at + 1}"
            self._tell()
            return
        self._close()
        self._wanted = self.query_one(Lines).top
        self._look_for(needle)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Keep from others what is typed here."""
        event.stop()
        self._trouble = ""

    def on_key(self, event: events.Key) -> None:
        """Leave the line for what is looked for as it was."""
        if event.key == "escape" and self.query_one(Input).has_focus:
            event.stop()
            self._close()

    def _close(self) -> None:
        self._trouble = ""
        self.query_one(Input).remove_class("-open")
        self.query_one(Lines).focus()
        self._tell()

    # ---- what is read

    def _draw(self, top: int | None = None) -> None:
        """Show what there is, from a line on, or else as it was or to the end; read on."""
        lines = self.query_one(Lines)
        if top is None and not self._following:
            top = lines.top
        lines.show(self._window.lines, top)
        self._tell()
        self._read_on()

    def _moved(self) -> None:
        """Follow at the end, and nowhere else; read on where there is more."""
        self._following = self.query_one(Lines).below <= 0 and self._window.at_end
        self._tell()
        self._read_on()

    def _read_on(self) -> None:
        """Read what is near to what is in view."""
        lines, window, path = self.query_one(Lines), self._window, self._path
        near = lines.size.height
        if self._loading or path is None or not near:
            return
        if lines.below < near and not window.at_end:
            self._read(partial(logpages.after, path, window.end, self._alarms), self._put_after)
        elif lines.above < near and window.begin > 0:
            self._read(partial(logpages.before, path, window.begin, self._alarms), self._put_before)

    def _put_after(self, page: Page) -> None:
        self._window.put_after(page)
        self._draw()

    def _put_before(self, page: Page) -> None:
        self._window.put_before(page)
        self._draw()

    def _read_from(self, start: int) -> None:
        def take(page: Page) -> None:
            self._window.hold(page)
            self._draw(start)

        if path := self._path:
            self._read(partial(logpages.after, path, start, self._alarms), take)

    def _read_end(self) -> None:
        def take(page: Page) -> None:
            self._window.hold(page, last=True)
            self._draw()

        if path := self._path:
            self._read(partial(logpages.before, path, sys.maxsize, self._alarms), take)

    def _read(self, read: Callable[[], Page], take: Callable[[Page], None]) -> None:
        """Have a page read; it is taken unless another one was wanted since."""
        self._loading = wanted = object()

        def attempt(desk: object) -> Page | Exception:
            try:
                return read()
            except Exception as error:  # one that left would leave the question without an answer
                return error

        def reply(found: Page | Exception) -> None:
            if self._loading is not wanted:
                return
            self._loading, self._trouble = None, ""
            if isinstance(found, Page):
                take(found)
            else:  # what is shown stays
                from lthtui.logsearch import reason

                self._trouble = f"no more can be read: {reason(found)}"
                self._tell()

        self.screen.post_message(Ask(self.screen, f"page {self.id}", attempt, reply))

    # ---- what is looked for

    def _look_for(self, needle: Needle | None) -> None:
        """Begin a search, or end it."""
        lines, search = self.query_one(Lines), None
        lines.needle, lines.chosen = needle, None
        lines.refresh()
        if needle is not None:
            from lthtui.logsearch import LogSearch  # not before somebody looks for something

            search = LogSearch(self._path or Path(), needle, self._alarms)
            if self._path is None:
                search.look_at(self._window.lines)
        self._search = search
        self.screen.refresh_bindings()
        self._tell()
        self._search_on()

    def _search_on(self) -> None:
        """Search what was not searched yet, unless that is under way."""
        search = self._search
        if search is None or search is self._searching:
            return
        if self._path is None:
            self._searched(search)
            return
        self._searching = search

        self.screen.post_message(
            Ask(self.screen, f"search {self.id}", lambda _: search.step(), self._searched)
        )

    def _searched(self, search: LogSearch) -> None:
        """Go to the first match that was wanted once it is known; search on."""
        if search is not self._search:
            return
        self._searching = None
        if self._wanted is not None:
            found = search.first(self._wanted)
            if found is not None or search.done:
                self._wanted = None
                self._choose(found)
        if not search.done:
            self._search_on()
        self._tell()

    def _choose(self, start: int | None) -> None:
        """Go to a match."""
        if start is None:
            return
        lines = self.query_one(Lines)
        lines.chosen = start
        if self._window.has(start):
            lines.reveal(start)
            lines.refresh()
        else:
            self._following = False
            self._read_from(start)
        self._tell()

    # ---- how it is shown

    def on_click(self, event: events.Click) -> None:
        """Follow again by a click on the line that says that it does not."""
        if event.widget is self.query_one(".how"):
            self.action_last()

    def _tell(self) -> None:
        """Say how the lines are shown, in one line."""
        self.query_one(".how", Static).update(Content("  ").join(self._said()), layout=False)

    def _said(self) -> Iterator[Content]:
        search, window, lines = self._search, self._window, self.query_one(Lines)
        if self._trouble:
            yield Content.styled(self._trouble, "$error")
            return
        if self._file and not window.size:
            yield Content.styled("nothing written yet", "$foreground 75%")
        elif self._file and self._following:
            yield Content.styled("following", "$text-success")
        elif self._file:
            share = 100 * lines.top // max(window.size, 1)
            yield Content.styled(f"paused at {share}%, G follows", "$text-warning")
        if self._whose:
            yield Content(self._whose)
        if self._alarms:
            part = (
                f" so far (from {100 * window.begin // max(window.size, 1)}%)"
                if self._loading
                else ""
            )
            some = self._loading or window.lines
            said = f"warnings and errors only{part}" if some else "no warnings, no errors"
            yield Content.styled(said, "$text-warning")
        if search is not None:
            yield Content(
                f"/{clean_line(search.needle.wanted, 30)}  {_count(search, lines.chosen)}"
            )
        if lines.wrap:
            yield Content("wrapped")


def _count(search: LogSearch, chosen: int | None) -> str:
    """Which of how many matches it is, and how much was searched."""
    total = f"{len(search.starts):,}"
    share = "" if search.done else f"  searched {100 * search.at // search.size}%"
    if search.trouble:
        return f"{search.place(chosen):,}/{total} so far: {search.trouble}"
    if search.done and not search.starts:
        return "not found"
    return f"{search.place(chosen):,}/{total}{share}"
