"""The files of runs: a tree beside a look into the one under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content

from lthtui.heat import wrapped
from lthtui.messages import Ask, Folded, Highlighted, Opened
from lthtui.runview import RunView
from lthtui.table import Column, Row
from lthtui.widgets.grid import Grid
from lthtui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from lthtui.preview import Preview

EMPTY = "no files of this run are on this machine"


class Files(Horizontal):
    """Folders unfold by the keys of the table; the screen it is on asks the desk."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._runs: tuple[RunView, ...] = ()
        self._opened: frozenset[str] = frozenset()
        self._seen: str | None = None  # the file that is looked into

    def compose(self) -> ComposeResult:
        """A tree and a sheet."""
        yield Grid((Column("file", 0), Column("size", 1, right=True)), EMPTY, id="tree")
        yield Sheet(id="preview")

    def about(self, runs: tuple[RunView, ...]) -> None:
        """Show the files of these runs as they are now."""
        self._runs = runs
        self._ask()

    def on_highlighted(self, message: Highlighted) -> None:
        """Look into another file."""
        message.stop()
        self._seen = message.key
        if message.key is None:
            return
        key, runs = message.key, self._runs
        self.screen.post_message(
            Ask(self.screen, "preview", lambda desk: desk.preview(runs, key), self._take)
        )

    def on_folded(self, message: Folded) -> None:
        """Show or hide what is in a folder."""
        message.stop()
        self._fold(message.key, message.unfold)

    def on_opened(self, message: Opened) -> None:
        """Unfold or fold a folder; go into what is shown of a file."""
        message.stop()
        if any(row.key == message.key and row.fold for row in self.query_one(Grid).rows):
            self._fold(message.key, None)
        else:
            self.query_one(Sheet).focus()

    def _fold(self, key: str, unfold: bool | None) -> None:
        row = next((row for row in self.query_one(Grid).rows if row.key == key), None)
        if row is None or not row.fold:
            return
        unfold = key not in self._opened if unfold is None else unfold
        self._opened = self._opened | {key} if unfold else self._opened - {key}
        self._ask()

    def _ask(self) -> None:
        runs, opened = self._runs, self._opened
        self.screen.post_message(
            Ask(self.screen, "files", lambda desk: desk.files(runs, opened), self._list)
        )

    def _list(self, rows: list[Row]) -> None:
        self.query_one(Grid).show(rows)

    def _take(self, asked: tuple[str, Preview]) -> None:
        """Show what there is to see of a file, if it is still the one under the cursor."""
        from lthtui.preview import lines

        key, found = asked
        if key != self._seen:
            return
        sheet = self.query_one(Sheet)
        sheet.border_title = Content(found.title)
        if found.title:
            sheet.show(lambda width: lines(found, width), top=True)
        else:
            sheet.show(lambda width: wrapped("", width))
