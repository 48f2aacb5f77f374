"""What is in the trash: taken out of it again, or removed for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content

from lthtui.board import Board
from lthtui.counting import counted
from lthtui.messages import Act, Ask, Marked
from lthtui.screens.base import Watching
from lthtui.screens.confirm import ConfirmScreen, listed
from lthtui.widgets.grid import Grid
from lthtui.widgets.keybar import KeyBar

if TYPE_CHECKING:
    from lthtui.desk import Desk
    from lthtui.trashdesk import Thrown, TrashDesk


class TrashScreen(Watching):
    """Lists the runs in the trash; keys are for those that are marked, or else the one in view."""

    BINDINGS = [
        Binding("escape,backspace", "app.pop_screen", "Back", id="trash.back"),
        Binding("space", "mark", "Mark", id="trash.mark"),
        Binding("r", "restore", "Restore", id="trash.restore"),
        Binding("delete", "remove", "Remove for good", id="trash.remove"),
        Binding("E", "empty", "Empty", id="trash.empty"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._thrown: dict[str, Thrown] = {}
        self._marked: set[str] = set()

    def compose(self) -> ComposeResult:
        """A table and the keys."""
        from lthtui.trashdesk import COLUMNS

        with Vertical(classes="pane -shown") as box:
            box.border_title = "trash"
            yield Grid(COLUMNS, "looking…", id="trash", opens=False, marks=True)
        yield KeyBar()

    def on_mount(self) -> None:
        """Look, and have MLflow told what it was not told yet."""
        self.query_one(Grid).focus()
        self._look()
        self.post_message(Act(lambda desk: desk.trash.finish(), lasting=True))

    def show_board(self, board: Board) -> None:
        """Look again where runs came or went."""
        before = self.board.runs.keys()
        super().show_board(board)
        if self.is_mounted and before != board.runs.keys():
            self._look()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without runs there is nothing to do."""
        if action in ("mark", "restore", "remove", "empty"):
            return True if self._thrown else None
        return True

    def on_marked(self, message: Marked) -> None:
        """Mark these runs."""
        self._mark({*message.keys})

    def action_mark(self) -> None:
        """Mark the run under the cursor, or take its mark away; go to the next."""
        grid = self.query_one(Grid)
        self._mark(self._marked ^ {grid.cursor or ""})
        grid.action_move(1)

    def action_restore(self) -> None:
        """Take runs out of the trash."""
        runs = self._meant()
        self._have_done(lambda trash: trash.restore(runs))

    def action_remove(self) -> None:
        """Remove runs for good after asking once."""
        self._remove(self._meant())

    def action_empty(self) -> None:
        """Remove all of one's own runs for good after asking once."""
        self._remove([run for run, one in self._thrown.items() if one.ours])

    def _mark(self, runs: set[str]) -> None:
        self._marked = runs & self._thrown.keys()
        self.query_one(Grid).mark(self._marked)

    def _meant(self) -> list[str]:
        cursor = self.query_one(Grid).cursor
        return [run for run in self._thrown if run in self._marked] or [cursor or ""]

    def _remove(self, runs: Sequence[str]) -> None:
        from lthtui.planning import size

        if not runs:
            self.notify("all of these are other people's", severity="warning")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._have_done(lambda trash: trash.empty(runs))

        frees = size(sum(self._thrown[run].bytes for run in runs))
        others = len(self._thrown) - len(runs)
        stay = f" {others} more stay." if others else ""
        detail = f"That frees {frees}. Nothing brings them back.{stay}"
        self.app.push_screen(
            ConfirmScreen(f"Remove {listed(runs)} for good?", detail, "Remove"), answered
        )

    def _look(self) -> None:
        self.post_message(Ask(self, "trash", lambda desk: desk.trash.look(), self._fill))

    def _have_done(self, act: Callable[[TrashDesk], str]) -> None:
        """Act on the trash, one act after the other; look into it again also where one failed."""

        def do(desk: Desk) -> str:
            try:
                return act(desk.trash)
            finally:
                self._look()  # which posts a message: that is done from any thread

        self.post_message(Act(do))

    def _fill(self, found: Sequence[Thrown]) -> None:
        from lthtui.planning import size
        from lthtui.trashdesk import rows

        self._thrown = {one.run_id: one for one in found}
        self._marked &= self._thrown.keys()
        grid = self.query_one(Grid)
        grid.empty = "the trash is empty"
        grid.show(rows(found))
        grid.mark(self._marked)
        whole = size(sum(one.bytes for one in found))
        title = f"trash  {counted(len(found), 'run')}, {whole}"
        self.query_one(".pane").border_title = Content(title)
        grid.refresh()
        self.refresh_bindings()
