"""Start runs: a list of specs, what each would do or what is wrong with it, and one question."""

from __future__ import annotations

from functools import partial

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content

from lthtui.desk import Checked
from lthtui.logtail import Chunk
from lthtui.messages import Act, Ask, Highlighted, Opened
from lthtui.screens.base import Asking
from lthtui.screens.confirm import ConfirmScreen
from lthtui.table import Cell, Column, Row
from lthtui.text import clean_line
from lthtui.widgets.grid import Grid
from lthtui.widgets.keybar import KeyBar
from lthtui.widgets.log import LogView


class LaunchScreen(Asking):
    """Lists the spec files of a folder; checks the one under the cursor."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
    BINDINGS = [
        Binding("escape,backspace", "app.pop_screen", "Back", id="launch.back"),
        Binding("r", "reload", "Read again", id="launch.reload"),
    ]

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder
        self._checked: dict[str, Checked] = {}

    def compose(self) -> ComposeResult:
        """Specs, and what the chosen one would do."""
        with Horizontal(id="body"):
            with Vertical(id="runs") as box:
                box.border_title = Content(f"specs in {clean_line(self._folder)}")
                empty = "no spec here: `lthtui new NAME` writes one"
                yield Grid(
                    (Column("spec", rank=0), Column("runs", rank=1, right=True)), empty, id="specs"
                )
            with Vertical(id="details"):
                yield LogView(follow=False, wrap=True, id="plan")
        yield KeyBar()

    def on_mount(self) -> None:
        """Ask for the specs."""
        self.query_one("#plan").border_title = "what it would do, enter queues it"
        self.query_one(Grid).focus()
        self.action_reload()

    def action_reload(self) -> None:
        """Read the folder and the chosen spec again."""
        self._checked = {}
        self.post_message(Ask(self, "specs", lambda desk: desk.specs(), self._list))

    def _list(self, paths: list[str]) -> None:
        """Show which specs there are."""
        grid = self.query_one(Grid)
        self._fill(paths)
        if grid.cursor is not None:
            self._show(grid.cursor)

    def _take(self, path: str, checked: Checked) -> None:
        """Show what a spec would do."""
        grid = self.query_one(Grid)
        self._checked[path] = checked
        self._fill([row.key for row in grid.rows])
        if path == grid.cursor:
            self._show(path)

    def on_highlighted(self, message: Highlighted) -> None:
        """Show another spec."""
        if message.key is not None:
            self._show(message.key)

    def on_opened(self, message: Opened) -> None:
        """Queue a spec's runs after asking once."""
        checked = self._checked.get(message.key)
        if checked is None or not checked.runs:
            return
        runs = f"{checked.runs:,} run{'' if checked.runs == 1 else 's'}"
        question = f"Queue {runs} of {clean_line(message.key)}?"
        detail = "Runs that are finished or under way already are not started twice."

        def answered(yes: bool | None) -> None:
            if yes:
                self.post_message(Act(lambda desk: desk.submit(message.key)))
                self.app.pop_screen()

        self.app.push_screen(ConfirmScreen(question, detail, "Queue"), answered)

    def _fill(self, paths: list[str]) -> None:
        self.query_one(Grid).show([self._row(path) for path in paths])

    def _row(self, path: str) -> Row:
        checked = self._checked.get(path)
        if checked is None:
            count = Cell("", "dim")
        else:
            count = Cell(str(checked.runs)) if checked.runs else Cell("✗ error", "failed")
        return Row(path, (Cell(clean_line(path.rpartition("/")[2])), count))

    def _show(self, path: str) -> None:
        """Show what is known about a spec, and ask for it if nothing is."""
        checked = self._checked.get(path)
        text = checked.text if checked else "reading…"
        self.query_one(LogView).show(Chunk(tuple(text.splitlines()), fresh=True))
        if checked is None:
            take = partial(self._take, path)
            self.post_message(Ask(self, "plan", lambda desk: desk.check(path), take))
