"""The first screen: all runs, and beside or below them the chosen one's curves and log."""

from __future__ import annotations

from collections.abc import Callable, Sized
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from lthtui import fields, marks, verdict
from lthtui.board import Board
from lthtui.fields import Misread
from lthtui.filtering import Filter
from lthtui.messages import Ask, CompareWanted, Folded, Highlighted, LogGrew, Opened, RunWanted
from lthtui.runview import RunView
from lthtui.screens.base import RunsScreen
from lthtui.tabling import Tabler
from lthtui.text import clean_line
from lthtui.views import View
from lthtui.widgets.chart import ChartView
from lthtui.widgets.grid import Grid
from lthtui.widgets.keybar import KeyBar
from lthtui.widgets.log import LogView
from lthtui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from lthtui.plots import Quantity

PANES = ("curve", "training", "log")


class MainScreen(RunsScreen):
    """A table of runs by group; narrow terminals show one pane of details, wide ones all."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
    BINDINGS = [
        Binding("n", "app.new", "New", id="main.new"),
        Binding("slash", "filter", "Filter", id="main.filter"),
        Binding("right_square_bracket", "pane(1)", "Pane", id="main.next_pane"),
        Binding(
            "left_square_bracket", "pane(-1)", "Pane before", show=False, id="main.pane_before"
        ),
        Binding("space", "mark", "Mark", show=False, id="main.mark"),
        Binding("c", "compare", "Compare", id="main.compare"),
        Binding("m", "metric", "Loss/accuracy", show=False, id="main.metric"),
        Binding("escape", "clear", "Clear filter, or marks", show=False, id="main.clear"),
    ]

    def __init__(self, root: str, clock: Callable[[], float]) -> None:
        super().__init__()
        self._root, self._clock = root, clock
        self._quantity: Quantity = "loss"
        self._folded: set[str] = set()
        self._met: set[str] = set()
        self._marked: set[str] = set()
        self._tabler, self._view = Tabler(), View()
        self._wanted = self._view.extremes
        self._shown: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Header, table and panes, keys."""
        yield TopBar(self._root, self._clock, "runs")
        with Horizontal(id="body"):
            with Vertical(id="runs") as box:
                box.border_title = "runs"
                columns = self._tabler.table(self.board, self._view).columns
                yield Grid(columns, "reading runs…", id="table")
                yield Input(placeholder="imp val>60% not status=failed", id="filter", compact=True)
                yield Static(id="note", markup=False)
            with Vertical(id="details"):
                yield ChartView(id="curve", classes="-shown")
                yield ChartView(id="training")
                yield LogView(id="log")
        yield KeyBar()

    def on_mount(self) -> None:
        """Start with the table in focus."""
        self.query_one("#table").focus()

    def on_screen_resume(self) -> None:
        """Another screen may have followed another log."""
        if self.board.runs:
            self.follow()

    def show_board(self, board: Board) -> None:
        """Show the runs as they are now."""
        super().show_board(board)
        self._fold_done(board)
        self.query_one(TopBar).show(board.counts)
        self.query_one(Grid).empty = "no runs yet: press n to start one"
        self._fill()
        self.call_after_refresh(self._show_details)  # charts are imported after the table is seen

    def on_log_grew(self, message: LogGrew) -> None:
        """Show more of the log that is followed."""
        self.query_one(LogView).show(message.chunk)

    def chosen(self) -> tuple[RunView, ...]:
        """The run or the group under the cursor."""
        return self.board.members(self.query_one(Grid).cursor)

    def on_highlighted(self, message: Highlighted) -> None:
        """Show the details of another row."""
        self._show_details()
        self.follow()
        self.refresh_bindings()

    def on_folded(self, message: Folded) -> None:
        """Show or hide the runs of a group."""
        group = self.board.group_of(message.key)
        if group is None or len(group.runs) == 1:
            return
        unfold = group.key in self._folded if message.unfold is None else message.unfold
        (self._folded.discard if unfold else self._folded.add)(group.key)
        if not unfold:
            self.query_one(Grid).select(group.key)
        self._fill()

    def on_opened(self, message: Opened) -> None:
        """Open a run, or a group, on a screen of its own."""
        self.post_message(RunWanted(message.key))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while typing; what cannot be read yet says why, and hides nothing."""
        wanted, trouble = event.value, ""
        try:
            Filter.parse(wanted, fields.names(self.board.runs.values()))
        except Misread as error:
            wanted, trouble = "", str(error)
        self.query_one("#runs").border_subtitle = Content(trouble)
        self._view = replace(self._view, filter=wanted)
        if (metrics := self._view.extremes) != self._wanted:
            self._wanted = metrics
            self.post_message(
                Ask(self, "extremes", lambda desk: desk.want(metrics), lambda _: None)
            )
        self._fill()

    def on_input_submitted(self) -> None:
        """Keep the filter and go back to the table."""
        self.query_one("#filter").set_class(bool(self._view.filter.strip()), "-open")
        self.query_one(Grid).focus()

    def action_filter(self) -> None:
        """Open the line of the filter."""
        line = self.query_one("#filter")
        line.add_class("-open")
        line.focus()

    def action_clear(self) -> None:
        """Show all runs again; if that is so already, take all marks away."""
        line = self.query_one("#filter", Input)
        if not line.value:
            self._marked.clear()
            self._show_marks()
        line.value = ""
        line.remove_class("-open")
        self.query_one(Grid).focus()

    def action_pane(self, by: int) -> None:
        """Show the next pane where there is room for one only; give it the focus elsewhere."""
        panes = [self.query_one(f"#{name}") for name in PANES]
        at = next(index for index, pane in enumerate(panes) if pane.has_class("-shown"))
        for index, pane in enumerate(panes):
            pane.set_class(index == (at + by) % len(panes), "-shown")
        if self.has_class("-wide"):
            panes[(at + by) % len(panes)].focus()

    def action_mark(self) -> None:
        """Mark the row under the cursor for a comparison, or take its mark away; go to the next."""
        grid = self.query_one(Grid)
        if grid.cursor is not None:
            self._marked ^= {grid.cursor}
            self._show_marks()
            grid.action_move(1)

    def action_compare(self) -> None:
        """Compare what is marked, or else the family of the row under the cursor."""
        marked = marks.whole(self.board, self._marked)
        keys = marked or marks.family(self.board, self.query_one(Grid).cursor)
        if keys:
            self.post_message(CompareWanted(keys))

    def action_metric(self) -> None:
        """Switch the training curve between accuracy and loss."""
        self._quantity = "loss" if self._quantity == "accuracy" else "accuracy"
        self._show_details()

    def _fold_done(self, board: Board) -> None:
        """Groups are first met unfolded if something happens in them, folded otherwise."""
        for group in board.groups:
            if group.key not in self._met:
                self._met.add(group.key)
                if not any(run.active for run in group.runs):
                    self._folded.add(group.key)

    def _fill(self) -> None:
        self._view = replace(self._view, folded=frozenset(self._folded))
        table = self._tabler.table(self.board, self._view)
        grid = self.query_one(Grid)
        grid.columns = table.columns
        grid.show(table.rows)
        self._show_marks()

    def _show_marks(self) -> None:
        """Mark rows, and say how many they are beside how many rows there are."""
        self.query_one(Grid).mark(self._marked)
        title = f"runs  {_count(self.board.groups, 'group')}, {_count(self.board.runs, 'run')}"
        if self.board.unreadable:
            title += f", {self.board.unreadable} unreadable"
        if wanted := self._view.filter.strip():
            title += f"  /{clean_line(wanted)}"
        if self._marked:
            title += f"  {len(self._marked)} marked"
        self.query_one("#runs").border_title = Content(title)

    def _show_details(self) -> None:
        """Draw the chosen runs; what is the same as before is left as it is."""
        group, runs = self.board.group_of(self.query_one(Grid).cursor), self.chosen()
        shown = (runs, group and (group.label, group.dense), self._quantity)
        if shown == self._shown:
            return
        self._shown = shown
        from lthtui.plots import density_curve, training_curve

        colour = self.board.colours.get(group.id, "#56b4e9") if group else "#56b4e9"
        name = verdict.name(group, runs) if group else ""
        curve, training = (
            self.query_one("#curve", ChartView),
            self.query_one("#training", ChartView),
        )
        curve.show(density_curve(runs, name, colour, group.dense) if group else None)
        training.show(training_curve(runs, colour, self._quantity) if runs else None)
        self.query_one("#note", Static).update(verdict.note(group, runs) if group else "")
        curve.border_title = Content(f"{name}  accuracy by weights kept".strip())
        training.border_title = Content(f"{name}  training".strip())
        self.query_one("#log").border_title = Content(f"{name}  log".strip())


def _count(things: Sized, noun: str) -> str:
    return f"{len(things):,} {noun}{'' if len(things) == 1 else 's'}"
