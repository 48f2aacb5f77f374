"""What was evaluated of runs: a table of metrics, and a look at what is behind the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content

from lthtui import evaluationrows
from lthtui.evaluationrows import SEPARATOR, Left
from lthtui.heat import Line, wrapped
from lthtui.messages import Ask, Folded, Highlighted, Opened
from lthtui.runview import RunView
from lthtui.table import Column
from lthtui.text import clean_line
from lthtui.widgets.chart import ChartView
from lthtui.widgets.grid import Grid
from lthtui.widgets.sheet import Sheet

if TYPE_CHECKING:
    from lthtui.evaluationlook import Lines, Look

BELOW = 6  # lines of text below a chart, at most
AWAY = "this run has no folder here: its evaluations' numbers are among the metrics of `training`"
NONE = (
    "nothing was evaluated yet. V asks for evaluations of its tickets, as does"
    " `lthtui evaluate {run} --with accuracy,calibration`"
)


class Evaluations(Horizontal):
    """Evaluations unfold into their metrics; the screen it is on asks the desk."""

    BINDINGS = [
        Binding("less_than_sign", "turn(-1)", "Seed before", show=False, id="evaluations.before"),
        Binding("greater_than_sign", "turn(1)", "Next seed", show=False, id="evaluations.next"),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, classes="tickets")
        self._runs: tuple[RunView, ...] = ()
        self._left: Left = {}
        self._turned: frozenset[str] = frozenset()
        self._at = 0  # which of the runs is looked at
        self._seen: object = None  # what the desk was last asked to look at

    def compose(self) -> ComposeResult:
        """The table, and a chart above lines of text."""
        with Vertical(classes="list"):
            yield Grid([Column("", 0)], id="metrics")
        with Vertical(classes="look"):
            yield ChartView()
            yield Sheet()

    def focus(self, scroll_visible: bool = True) -> Evaluations:
        """Give the focus to the table."""
        self.query_one(Grid).focus(scroll_visible)
        return self

    def on_mount(self) -> None:
        """Begin without a chart."""
        self.query_one(ChartView).display = False

    def about(self, runs: tuple[RunView, ...]) -> None:
        """Show the evaluations of these runs as they are now."""
        self._runs = runs
        self._fill()
        self.screen.post_message(
            Ask(self.screen, "left", lambda desk: desk.evaluations.left(runs), self._take_left)
        )

    def on_highlighted(self, message: Highlighted) -> None:
        """Look at another evaluation."""
        message.stop()
        self._look()

    def on_folded(self, message: Folded) -> None:
        """Show or hide the metrics of an evaluation."""
        message.stop()
        name = _name(message.key)
        row = next((row for row in self.query_one(Grid).rows if row.key == name), None)
        if row is not None and row.fold and message.unfold is not (row.fold == "▾"):
            self._turned ^= {name}
            self.query_one(Grid).select(name)
            self._fill()

    def on_opened(self, message: Opened) -> None:
        """Go into what is shown of an evaluation."""
        message.stop()
        chart = self.query_one(ChartView)
        (chart if chart.display else self.query_one(Sheet)).focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is another seed only where there are several."""
        return action != "turn" or len(self._runs) > 1

    def action_turn(self, by: int) -> None:
        """Look at what was found of another run of the group."""
        self._at = (self._at + by) % max(len(self._runs), 1)
        self._look()

    def _fill(self) -> None:
        grid, runs = self.query_one(Grid), self._runs
        grid.columns, rows = evaluationrows.table(runs, self._left, self._turned)
        here = [run for run in runs if run.directory]
        grid.empty = NONE.format(run=clean_line(here[0].run_id)) if here else AWAY
        grid.show(rows)
        self._look()

    def _take_left(self, left: Left) -> None:
        """Show what has yet to be made, too."""
        if left != self._left:
            self._left = left
            self._fill()

    def _look(self) -> None:
        """Have the evaluation under the cursor looked at, if it is another or has changed."""
        name = _name(self.query_one(Grid).cursor or "")
        run = self._runs[self._at % len(self._runs)] if self._runs else None
        found = tuple(one for one in run.measured if one.name == name) if run else ()
        seen = (run and run.run_id, name, found)
        if seen == self._seen:
            return
        self._seen = seen
        which = f"  {run.repetition} (< > others)" if run and len(self._runs) > 1 else ""
        self.query_one(".look").border_title = Content(f"{clean_line(name)}{which}")
        if run is None or not any(one.metrics or one.files for one in found):
            self._show(None, None)
            return

        def take(look: Look) -> None:
            if seen == self._seen:
                self._show(look, name)

        self.screen.post_message(
            Ask(self.screen, "evaluation", lambda desk: desk.evaluations.look(run, name), take)
        )

    def _show(self, look: Look | None, name: str | None) -> None:
        """Show a look at an evaluation, below why some of it could not be made."""
        chart, sheet = self.query_one(ChartView), self.query_one(Sheet)
        panel, lines = (look.panel, look.lines) if look else (None, None)
        runs, told = self._runs, name or _name(self.query_one(Grid).cursor or "")
        chart.display = panel is not None
        chart.show(None)  # another one is looked at from its beginning
        chart.show(panel)

        def made(width: int) -> list[Line]:
            above = [*evaluationrows.troubles(runs, told, width)]
            return [*above, *_lines(lines, width, bool(above) or panel is not None)]

        count = len(made(80))
        sheet.display = panel is None or count > 0
        sheet.styles.height = "1fr" if panel is None else min(count, BELOW)
        sheet.show(made, top=True)


def _lines(lines: Lines | None, width: int, other: bool) -> list[Line]:
    """The lines, or that there are none where nothing else is there either."""
    if lines is not None:
        return [*lines(width)]
    return [] if other else wrapped("nothing to show yet", width)


def _name(key: str) -> str:
    """The evaluation of a row."""
    return key.partition(SEPARATOR)[0]
