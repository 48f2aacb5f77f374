"""The files of runs: a tree beside a look into the one under the cursor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content

from engine.errors import UsageError
from lthtui.heat import wrapped
from lthtui.messages import Ask, CopyWanted, Folded, Highlighted, Opened
from lthtui.runview import RunView
from lthtui.screens.lending import lent
from lthtui.table import Column, Row
from lthtui.text import clean_line
from lthtui.widgets.grid import Grid
from lthtui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from lthtui.desk import Desk
    from lthtui.filedesk import Copy
    from lthtui.preview import Preview

ASKED = "looking for files…"
EMPTY = "no files of this run can be reached from this machine"


class Files(Horizontal):
    """Folders unfold by the keys of the table; the screen it is on asks the desk."""

    BINDINGS = [
        Binding("escape", "shrink", "Files", id="files.back"),
        Binding("o", "page", "Open in pager", id="files.page"),
        Binding("E", "copy", "Copy file to", id="files.copy"),
        Binding("y", "copy_path", "Copy path", show=False, id="files.copy_path"),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._runs: tuple[RunView, ...] = ()
        self._opened: frozenset[str] = frozenset()
        self._seen: str | None = None  # the file that is looked into

    def compose(self) -> ComposeResult:
        """A tree and a sheet."""
        yield Grid((Column("file", 0), Column("size", 1, right=True)), ASKED, id="tree")
        yield Sheet(id="preview")

    def focus(self, scroll_visible: bool = True) -> Files:
        """Give the focus to what has the room."""
        self.query_one(Sheet if self.has_class("-full") else Grid).focus(scroll_visible)
        return self

    def about(self, runs: tuple[RunView, ...]) -> None:
        """Show the files of these runs as they are now."""
        self._runs = runs
        self._ask()

    def on_highlighted(self, message: Highlighted) -> None:
        """Look into another file."""
        message.stop()
        self._seen = message.key
        self.screen.refresh_bindings()
        if message.key is None:
            return
        key, runs = message.key, self._runs
        self.screen.post_message(
            Ask(self.screen, "preview", lambda desk: desk.files.preview(runs, key), self._take)
        )

    def on_folded(self, message: Folded) -> None:
        """Show or hide what is in a folder."""
        message.stop()
        self._fold(message.key, message.unfold)

    def on_opened(self, message: Opened) -> None:
        """Unfold or fold a folder; give what is shown of a file all the room."""
        message.stop()
        if any(row.key == message.key and row.fold for row in self.query_one(Grid).rows):
            self._fold(message.key, None)
        else:
            self.add_class("-full")
            self.focus()
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only files are opened and copied."""
        if action == "shrink":
            return self.has_class("-full")
        file = self._seen is not None and not any(
            row.key == self._seen and row.fold for row in self.query_one(Grid).rows
        )
        return True if file or action not in ("page", "copy", "copy_path") else None

    def action_shrink(self) -> None:
        """Go back to the tree."""
        self.remove_class("-full")
        self.focus()
        self.refresh_bindings()

    def action_copy_path(self) -> None:
        """Copy the path of the file under the cursor."""
        runs, key = self._runs, self._seen or ""
        self.screen.post_message(
            Ask(self.screen, "path", lambda desk: desk.files.path(runs, key), self._copy_text)
        )

    def action_copy(self) -> None:
        """Ask where the file under the cursor is to be copied to."""
        from lthtui.screens.export import export

        runs, key = self._runs, self._seen or ""
        name = clean_line(key.rpartition("/")[2].rpartition("\0")[2])

        def write(desk: Desk, file: Path, overwrite: bool) -> str:
            return desk.files.copy(runs, key, file, overwrite)

        export(self.screen, f"Copy {name} to", name, write, forms={})

    def action_page(self) -> None:
        """Show the file under the cursor in the pager of the user's choice."""
        runs, key = self._runs, self._seen or ""
        self.screen.post_message(
            Ask(self.screen, "page", lambda desk: desk.files.at_hand(runs, key), self._page)
        )

    def _copy_text(self, path: str) -> None:
        if path:
            self.screen.post_message(CopyWanted(path))

    def _page(self, copy: Copy) -> None:
        from lthtui import paging

        with copy as file:
            try:
                lent(self.app, lambda: paging.show(file))
            except SuspendNotSupported:
                said = "no other program can be shown here; E copies the file"
                self.notify(said, severity="warning")
            except UsageError as error:
                self.notify(str(error), severity="error", markup=False)

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
            Ask(self.screen, "files", lambda desk: desk.files.rows(runs, opened), self._list)
        )

    def _list(self, rows: list[Row]) -> None:
        grid = self.query_one(Grid)
        grid.empty = EMPTY
        grid.show(rows)

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
