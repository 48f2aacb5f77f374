"""The first screen: all runs, and beside or below them the chosen one's curves and log."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from lthtui import marks, verdict
from lthtui.board import Board
from lthtui.columns import Heading
from lthtui.messages import Ask, CompareWanted, Highlighted, Opened, RunWanted
from lthtui.screens.evaluating import EvaluatingScreen
from lthtui.views import Order
from lthtui.widgets.chart import ChartView
from lthtui.widgets.gauges import Gauges
from lthtui.widgets.keybar import KeyBar
from lthtui.widgets.log import LogView
from lthtui.widgets.runs import RunTable
from lthtui.widgets.titles import entitle
from lthtui.widgets.topbar import TopBar
from lthtui.widgets.training import Subject, Training

if TYPE_CHECKING:
    from lthtui.gauges import Machine
    from lthtui.runview import RunView

DRAWN = ("epoch/train_loss",)  # of its training, if nothing else is chosen
PANES = ("curve", "training", "log")
LOOK = 2.0  # seconds between two looks at the devices


class MainScreen(EvaluatingScreen):
    """A table of runs by group; narrow terminals show one pane of details, wide ones all.

    Where there is room, the devices are shown below the table.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide"), (160, "-broad")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (40, "-tall")]
    BINDINGS = [
        Binding("n", "app.new", "New", id="main.new"),
        Binding("slash", "filter", "Filter", id="main.filter"),
        Binding("right_square_bracket", "pane(1)", "Pane", id="main.next_pane"),
        Binding(
            "left_square_bracket", "pane(-1)", "Pane before", show=False, id="main.pane_before"
        ),
        Binding("space", "mark", "Mark", show=False, id="main.mark"),
        Binding("c", "compare", "Compare", id="main.compare"),
        Binding("s", "sort", "Sort", id="main.sort"),
        Binding("v", "columns", "Columns", id="main.columns"),
        Binding("e", "experiment", "Experiment", id="main.experiment"),
        Binding("equals_sign", "constant", "Hide what is constant", show=False, id="main.constant"),
        Binding("H", "archived", "Show/hide archived", show=False, id="main.archived"),
        Binding("m", "metrics", "Metrics", show=False, id="main.metrics"),
        Binding("comma", "level(-1)", "Level before", show=False, id="main.level_before"),
        Binding("full_stop", "level(1)", "Next level", show=False, id="main.next_level"),
        Binding("T", "trash", "Trash", show=False, id="main.trash"),
        Binding("escape", "clear", "Clear filter, or marks", show=False, id="main.clear"),
    ]

    def __init__(self, root: str, clock: Callable[[], float]) -> None:
        super().__init__()
        self._root, self._clock = root, clock
        self._shown: tuple[object, ...] = ()
        self._watching = False  # over the devices, from when the first runs are seen

    def compose(self) -> ComposeResult:
        """Header, table and panes, keys."""
        yield TopBar(self._root, self._clock, "runs")
        with Horizontal(id="body"):
            with Vertical(id="west"):
                yield RunTable(id="runs")
                yield Gauges(id="gauges")
            with Vertical(id="details"):
                yield ChartView(id="curve", classes="-shown", kind="accuracy")
                yield Training(DRAWN, "runs", id="training")
                yield LogView(id="log")
        yield KeyBar()

    def on_mount(self) -> None:
        """Start with the table in focus."""
        self.query_one("#table").focus()
        self.query_one("#gauges").border_title = "devices"

    def on_screen_resume(self) -> None:
        """Another screen may have followed another log."""
        if self.board.runs:
            self.follow()

    def show_board(self, board: Board) -> None:
        """Show the runs as they are now."""
        super().show_board(board)
        self.query_one(TopBar).show(board.counts)
        self._table.show(board)
        self._table.call_after_refresh(self._show_details)
        if not self._watching:
            self._watching = True
            self.call_after_refresh(self._watch)

    def chosen(self) -> tuple[RunView, ...]:
        """The run or the group under the cursor."""
        return self._table.chosen

    def meant(self) -> tuple[RunView, ...]:
        """The marked runs, or else the chosen ones, as far as they are shown."""
        return self._table.meant

    def on_highlighted(self, message: Highlighted) -> None:
        """Show the details of another row, once its place in the table is seen."""
        self._table.call_after_refresh(self._show_details)
        self.follow()
        self.refresh_bindings()

    def on_opened(self, message: Opened) -> None:
        """Open a run, or a group, on a screen of its own."""
        self.post_message(RunWanted(message.key))

    def action_filter(self) -> None:
        """Open the line of the filter."""
        self._table.filter()

    def action_clear(self) -> None:
        """Show all runs again; if that is so already, take all marks away."""
        self._table.clear()

    def action_pane(self, by: int) -> None:
        """Show the next pane where there is room for one only; elsewhere go there, or back."""
        panes = [self.query_one(f"#{name}") for name in PANES]
        if not self.has_class("-narrow"):
            stops = [self.query_one("#table"), *panes]
            found = (at for at, one in enumerate(stops) if one.has_focus or one.has_focus_within)
            target = stops[(next(found, 0) + by) % len(stops)]
            target.focus()
        else:
            at = next(index for index, pane in enumerate(panes) if pane.has_class("-shown"))
            target = panes[(at + by) % len(panes)]
        for pane in panes if target in panes else ():
            pane.set_class(pane is target, "-shown")

    def action_mark(self) -> None:
        """Mark the row under the cursor for a comparison, or take its mark away; go to the next."""
        self._table.mark()

    def action_compare(self) -> None:
        """Compare what is marked, or else the family of the row under the cursor."""
        keys = self._table.marked or marks.family(self.board, self._table.cursor)
        if keys:
            self.post_message(CompareWanted(keys))

    def action_columns(self) -> None:
        """Choose the columns of the table."""
        from lthtui import catalogue
        from lthtui.screens.columns import ColumnsScreen

        def answered(headings: tuple[Heading, ...] | None) -> None:
            if headings is not None:
                self._table.change(headings=headings)

        group, runs = self.board.group_of(self._table.cursor), self.chosen()
        known = catalogue.entries(self.board.runs.values())
        example = (runs[0], group) if group else None
        self.app.push_screen(ColumnsScreen(known, self._table.view.headings, example), answered)

    def action_sort(self) -> None:
        """Choose by what the table is sorted."""
        from lthtui import catalogue
        from lthtui.screens.sorting import SortScreen

        def answered(order: tuple[Order, ...] | None) -> None:
            if order is not None:
                self._table.change(order=order)

        known = catalogue.entries(self.board.runs.values())
        self.app.push_screen(SortScreen(known, self._table.view.order), answered)

    def action_constant(self) -> None:
        """Hide columns that are the same in all runs, or show them again."""
        self._table.change(hide_constant=not self._table.view.hide_constant)

    def action_archived(self) -> None:
        """Show archived runs too, or hide them again."""
        self._table.change(archived=not self._table.view.archived)

    def action_experiment(self) -> None:
        """Choose the experiment whose runs are shown."""
        from lthtui.screens.experiments import ExperimentScreen

        def answered(experiment: str | None) -> None:
            if experiment is not None:
                self._table.choose(experiment)

        self.app.push_screen(ExperimentScreen(self.board, self._table.experiment), answered)

    def action_trash(self) -> None:
        """Show what is in the trash."""
        from lthtui.screens.trash import TrashScreen

        trash = TrashScreen()
        trash.board = self.board
        self.app.push_screen(trash)

    def action_metrics(self) -> None:
        """Ask which metrics the training curves are to be of."""
        self.query_one(Training).pick()

    def action_level(self, by: int) -> None:
        """Show the training curves of another level."""
        self.query_one(Training).step(by)

    @property
    def _table(self) -> RunTable:
        return self.query_one(RunTable)

    def _watch(self) -> None:
        self._look()
        self.set_interval(LOOK, self._look)

    def _look(self) -> None:
        """Look at the devices, if they are in view."""
        if self.is_current and self.query_one(Gauges).display:
            self.post_message(
                Ask(self, "machine", lambda desk: desk.machine(), self._show_machine, patient=True)
            )

    def _show_machine(self, machine: Machine) -> None:
        """Show how busy the devices are, and with which runs."""
        names = {}
        for run in (run for device in machine.devices for run in device.runs):
            if group := self.board.group_of(run):
                names[run] = verdict.name(group, self.board.members(run))
        self.query_one(Gauges).show(machine, names)

    def _show_details(self) -> None:
        """Draw the chosen runs; what is the same as before is left as it is."""
        group, runs = self.board.group_of(self._table.cursor), self.chosen()
        shown = (runs, group and (group.label, group.dense))
        if shown == self._shown:
            return
        self._shown = shown
        from lthtui.plots import density_curve

        colour = self.board.colours.get(group.id, "#56b4e9") if group else "#56b4e9"
        name = verdict.name(group, runs) if group else ""
        curve, training = self.query_one("#curve", ChartView), self.query_one(Training)
        curve.show(density_curve(runs, name, colour, group.dense) if group else None)
        training.about(Subject(runs, group.label, colour) if group and runs else None)
        note = verdict.note(group, runs) if group else ""
        self.query_one("#note", Static).update(note, layout=False)
        entitle(curve, f"{name}  accuracy by weights kept".strip())
        entitle(training, f"{name}  training".strip())
        entitle(self.query_one("#log"), f"{name}  log".strip())
