"""One run, or the runs of one group: curves, levels, log and spec on tabs."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Static, TabbedContent, TabPane

from engine.repetition import listed
from lthtui import columns, plots, verdict
from lthtui.board import Board, Group, duration, status_cell
from lthtui.fields import Field
from lthtui.loglines import LogLine
from lthtui.runview import RunView
from lthtui.screens.evaluating import EvaluatingScreen
from lthtui.widgets.about import About
from lthtui.widgets.chart import ChartView
from lthtui.widgets.evaluations import Evaluations
from lthtui.widgets.files import Files
from lthtui.widgets.keybar import KeyBar
from lthtui.widgets.layers import Layers
from lthtui.widgets.levels import Levels
from lthtui.widgets.log import LogView
from lthtui.widgets.overview import Overview
from lthtui.widgets.spec import SpecView
from lthtui.widgets.training import Subject, Training

STATUS = Field.parse("status")
DRAWN = ("epoch/train_loss", "epoch/val_accuracy")  # of its training, if nothing else is chosen
TABS = ("curve", "training", "levels", "layers", "evaluations", "files", "log", "spec", "about")


class RunScreen(EvaluatingScreen):
    """Shows what the row of a key stands for."""

    CSS_PATH = "../styles/tickets.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide"), (180, "-huge")]
    BINDINGS = [
        Binding("escape,backspace", "app.pop_screen", "Back", id="view.back"),
        Binding("right_square_bracket", "tab(1)", "Next tab", id="view.next_tab"),
        Binding("left_square_bracket", "tab(-1)", "Tab before", show=False, id="view.tab_before"),
        Binding("m", "metrics", "Metrics", id="view.metrics"),
        Binding("comma", "level(-1)", "Level before", show=False, id="view.level_before"),
        Binding("full_stop", "level(1)", "Next level", show=False, id="view.next_level"),
    ]

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key = key
        self._met = False  # whether there were runs to show

    def compose(self) -> ComposeResult:
        """Two lines of facts, tabs and beside them an overview where there is room, keys."""
        yield Static(id="facts", markup=False)
        yield Overview(id="overview")
        with TabbedContent(id="tabs"):
            with TabPane("curve", id="tab-curve"):
                yield ChartView(id="curve", kind="accuracy")
            with TabPane("training", id="tab-training"):
                yield Training(DRAWN, "run", id="training")
            with TabPane("levels", id="tab-levels"):
                yield Levels(id="levels")
            with TabPane("layers", id="tab-layers"):
                yield Layers(id="layers")
            with TabPane("evaluations", id="tab-evaluations"):
                yield Evaluations(id="evaluations")
            with TabPane("files", id="tab-files"):
                yield Files(id="files")
            with TabPane("log", id="tab-log"):
                yield LogView(id="log")
            with TabPane("spec", id="tab-spec"):
                yield SpecView(id="spec", heard=self._settings)
            with TabPane("about", id="tab-about"):
                yield About(id="about")
        yield KeyBar()

    def on_mount(self) -> None:
        """Fill everything in."""
        self._draw()
        self.follow()

    def show_board(self, board: Board) -> None:
        """Show the runs as they are now."""
        before = self.board.group_of(self._key)
        super().show_board(board)
        if self.is_mounted and self.board.group_of(self._key) != before:
            self._draw()
        self._leave_where_gone()

    def on_screen_resume(self) -> None:
        """The runs may have gone while another screen was in view, which followed its own log."""
        self._leave_where_gone()
        self.follow()

    def chosen(self) -> tuple[RunView, ...]:
        """The runs that the screen is about."""
        return self.board.members(self._key)

    @property
    def origin(self) -> tuple[tuple[RunView, ...], int | None]:
        """The level under the cursor while levels are in view."""
        return self.query_one(Levels).origin if self._tab == "levels" else super().origin

    def action_tab(self, by: int) -> None:
        """Go to another tab."""
        at = TABS.index(self._tab)
        self._turn_to(TABS[(at + by) % len(TABS)])

    def action_metrics(self) -> None:
        """Go to the training curves, and ask which metrics they are to be of."""
        self._turn_to("training")
        self.query_one(Training).pick()

    def action_level(self, by: int) -> None:
        """Go to the training curves, and to those of another level."""
        self._turn_to("training")
        self.query_one(Training).step(by)

    def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        """Give the focus to what the tab shows, unless another was chosen since: focus chooses."""
        if event.pane.id == event.tabbed_content.active:
            self.query_one(f"#{event.pane.id.removeprefix('tab-')}").focus()
            self._look_closer()

    @property
    def _tab(self) -> str:
        """Which of them is in view."""
        return self.query_one(TabbedContent).active.removeprefix("tab-")

    def _turn_to(self, tab: str) -> None:
        """Show a tab; what is hidden by that would give its focus to what is hidden beside it."""
        if tab != self._tab:
            self.set_focus(None)
            self.query_one(TabbedContent).active = f"tab-{tab}"

    def _leave_where_gone(self) -> None:
        """Go back once the runs are no longer here, such as in the trash."""
        self._met = self._met or bool(self.chosen())
        if self.is_current and self._met and not self.chosen():
            self.app.pop_screen()

    def _draw(self) -> None:
        runs, group = self.chosen(), self.board.group_of(self._key)
        if group is None or not runs:
            return
        colour = self.board.colours[group.id]
        self.query_one("#facts", Static).update(_facts(runs, group), layout=False)
        self.query_one("#curve", ChartView).show(
            plots.density_curve(runs, verdict.name(group, runs), colour, group.dense)
        )
        self.query_one(Training).about(Subject(runs, group.label, colour))
        self.query_one(Levels).about(group, runs)
        self.query_one(SpecView).about(runs)
        self.query_one(Overview).about(runs, group)
        self._look_closer()

    def _settings(self, settings: Sequence[LogLine]) -> None:
        self.query_one(Overview).settle(settings)

    def _look_closer(self) -> None:
        """Have masks and files looked at while their tab is in view."""
        shown = self._tab
        if shown == "layers":
            self.query_one(Layers).about(self.chosen())
        elif shown == "evaluations":
            self.query_one(Evaluations).about(self.chosen())
        elif shown == "files":
            self.query_one(Files).about(self.chosen())
        elif shown == "about":
            self.query_one(About).about(self.chosen())


def _facts(runs: tuple[RunView, ...], group: Group) -> str:
    """How the runs are doing and what they are, and on a second line what came of them."""
    first = runs[0]
    if len(runs) > 1:
        which = listed(run.repetition for run in runs)
        parts = [columns.summary(STATUS, group).text, f"{group.label}, {which}"]
    else:
        parts = [status_cell(first).text, *_progress(first)]
        parts += filter(None, (first.called, first.run_id))
        parts += [f"extends {first.extends}"] if first.extends else []
    parts += [] if first.foreign else [f"{first.sparsifier} on {first.dataset} with {first.model}"]
    return "  ".join(parts) + "\n" + verdict.note(group, runs)


def _progress(run: RunView) -> list[str]:
    """Where a run is in its plan, and how long it will still take; nothing of what is finished."""
    if run.status == "finished":
        return []
    at = [f"level {run.level}/{run.planned_levels - 1}", f"epoch {run.epoch}/{run.planned_epochs}"]
    left = [] if run.eta is None else [f"eta {duration(run.eta)}"]
    return [*(at if run.current else []), *left]
