"""One run, or the runs of one group: curves, levels, log and spec on tabs."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Static, TabbedContent, TabPane

from lthtui import columns, levels, plots, verdict
from lthtui.board import Board, Group, duration, status_cell
from lthtui.fields import Field
from lthtui.logtail import Chunk
from lthtui.messages import Ask, LogGrew
from lthtui.runview import RunView
from lthtui.screens.base import RunsScreen
from lthtui.widgets.chart import ChartView
from lthtui.widgets.files import Files
from lthtui.widgets.grid import Grid
from lthtui.widgets.keybar import KeyBar
from lthtui.widgets.layers import Layers
from lthtui.widgets.log import LogView

STATUS = Field.parse("status")
TABS = ("curve", "training", "levels", "layers", "files", "log", "spec")


class RunScreen(RunsScreen):
    """Shows what the row of a key stands for."""

    BINDINGS = [
        Binding("escape,backspace", "app.pop_screen", "Back", id="view.back"),
        Binding("right_square_bracket", "tab(1)", "Next tab", id="view.next_tab"),
        Binding("left_square_bracket", "tab(-1)", "Tab before", show=False, id="view.tab_before"),
        Binding("m", "metric", "Loss/accuracy", id="view.metric"),
    ]

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key = key
        self._quantity: plots.Quantity = "loss"

    def compose(self) -> ComposeResult:
        """Two lines of facts, tabs, keys."""
        yield Static(id="facts", markup=False)
        with TabbedContent(id="tabs"):
            with TabPane("curve", id="tab-curve"):
                yield ChartView(id="curve")
            with TabPane("training", id="tab-training"):
                yield ChartView(id="training")
            with TabPane("levels", id="tab-levels"):
                yield Grid(levels.COLUMNS, "no level has started yet", id="levels")
            with TabPane("layers", id="tab-layers"):
                yield Layers(id="layers")
            with TabPane("files", id="tab-files"):
                yield Files(id="files")
            with TabPane("log", id="tab-log"):
                yield LogView(id="log")
            with TabPane("spec", id="tab-spec"):
                yield LogView(follow=False, id="spec")
        yield KeyBar()

    def on_mount(self) -> None:
        """Fill everything in."""
        self._draw()
        self.follow()
        runs = self.chosen()
        if runs and runs[0].directory:
            run = runs[0].run_id
            self.post_message(Ask(self, "spec", lambda desk: desk.spec(run), self._show_spec))
        else:
            self._show_spec("this run has no folder here")

    def show_board(self, board: Board) -> None:
        """Show the runs as they are now."""
        before = self.board.group_of(self._key)
        super().show_board(board)
        if self.is_mounted and self.board.group_of(self._key) != before:
            self._draw()

    def on_log_grew(self, message: LogGrew) -> None:
        """Show more of the log that is followed."""
        self.query_one("#log", LogView).show(message.chunk)

    def chosen(self) -> tuple[RunView, ...]:
        """The runs that the screen is about."""
        return self.board.members(self._key)

    def action_tab(self, by: int) -> None:
        """Go to another tab."""
        tabs = self.query_one(TabbedContent)
        at = TABS.index(tabs.active.removeprefix("tab-"))
        tabs.active = f"tab-{TABS[(at + by) % len(TABS)]}"

    def action_metric(self) -> None:
        """Switch the training curve between accuracy and loss, and go to it."""
        self._quantity = "loss" if self._quantity == "accuracy" else "accuracy"
        self.query_one(TabbedContent).active = "tab-training"
        self._draw()

    def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        """Give the focus to what the tab shows, unless another was chosen since: focus chooses."""
        if event.pane.id == event.tabbed_content.active:
            shown = self.query_one(f"#{event.pane.id.removeprefix('tab-')}")
            (shown.query_one(Grid) if isinstance(shown, Files) else shown).focus()
            self._look_closer()

    def _show_spec(self, text: str) -> None:
        self.query_one("#spec", LogView).show(Chunk(tuple(text.splitlines()), fresh=True))

    def _draw(self) -> None:
        runs, group = self.chosen(), self.board.group_of(self._key)
        if group is None or not runs:
            return
        colour = self.board.colours[group.id]
        self.query_one("#facts", Static).update(_facts(runs, group))
        self.query_one("#curve", ChartView).show(
            plots.density_curve(runs, verdict.name(group, runs), colour, group.dense)
        )
        self.query_one("#training", ChartView).show(
            plots.training_curve(runs, colour, self._quantity)
        )
        self.query_one("#levels", Grid).show(levels.rows(runs))
        self._look_closer()

    def _look_closer(self) -> None:
        """Have masks and files looked at while their tab is in view."""
        shown = self.query_one(TabbedContent).active.removeprefix("tab-")
        if shown == "layers":
            self.query_one(Layers).about(self.chosen())
        elif shown == "files":
            self.query_one(Files).about(self.chosen())


def _facts(runs: tuple[RunView, ...], group: Group) -> str:
    """What and where the runs are, and on a second line what came of them."""
    first = runs[0]
    what = f"{first.sparsifier} on {first.dataset} with {first.model}"
    if len(runs) > 1:
        seeds = ", ".join(str(run.seed) for run in runs)
        parts = [f"{group.label}, seeds {seeds}", columns.summary(STATUS, group).text]
    else:
        parts = [first.run_id, status_cell(first).text]
        if first.current:
            parts.append(f"level {first.level}/{first.planned_levels - 1}")
            parts.append(f"epoch {first.epoch}/{first.planned_epochs}")
        if first.eta is not None:
            parts.append(f"eta {duration(first.eta)}")
        if first.extends:
            parts.append(f"extends {first.extends}")
    return "  ".join([*parts, what]) + "\n" + verdict.note(group, runs)
