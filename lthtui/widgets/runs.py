"""The table of runs with the line of its filter; it knows its view, and has it remembered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from lthtui import marks, views
from lthtui.board import Board
from lthtui.messages import Act, Ask, Filtered, Folded, HeadClicked, Highlighted, Marked
from lthtui.tabling import Table, Tabler
from lthtui.text import clean_line
from lthtui.views import View
from lthtui.widgets.filterline import FilterLine, Trouble
from lthtui.widgets.grid import Grid
from lthtui.widgets.titles import entitle

if TYPE_CHECKING:
    from lthtui.desk import Desk
    from lthtui.runview import RunView

T = TypeVar("T")
EXAMPLE = "imp val>60% not status=failed"
NO_RUNS = "no runs yet: press n to start one"
ALL_HIDDEN = "no run is like that: esc shows all"
ALL_ARCHIVED = "what is like that is archived: H shows it"


class RunTable(Vertical):
    """Runs by group; `view` says which and how, `experiment` whose, which is empty for all."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.board, self.experiment, self.view = Board(), "", View()
        self._tabler, self._table = Tabler(), Table()
        self._views: dict[str, View] = {}  # of this session, by experiment
        self._empty = "reading runs…"  # what is said where no row is
        self._seen = False  # whether it was told of the runs
        self._met: set[str] = set()
        self._quiet: set[str] = set()  # groups that are folded unless somebody unfolds them
        self._marked: frozenset[str] = frozenset()
        self._met_marked: tuple[RunView, ...] = ()  # the runs of these that are shown
        self._wanted = self.view.extremes

    def compose(self) -> ComposeResult:
        """The table, a line to filter it, and one for what is said of the row under the cursor."""
        self.border_title = "runs"
        columns = self._tabler.table(self.board, self.view).columns
        yield Grid(columns, self._empty, id="table", marks=True)
        yield FilterLine(EXAMPLE)
        yield Trouble()
        yield Static(id="note", markup=False)

    def on_mount(self) -> None:
        """Have the view of the last session looked up."""
        self._ask("view", lambda desk: desk.memory.last(), self._begin)

    def show(self, board: Board) -> None:
        """Show the runs as they are now."""
        self.board, self._seen = board, True
        known = board.trouble or board.remark
        self._empty = ALL_HIDDEN if board.runs else clean_line(known) or NO_RUNS
        self._fold_quiet()
        self._line.about(board.runs.values())
        self._fill()
        self._leave_unknown()

    @property
    def cursor(self) -> str | None:
        """The key of the row under the cursor."""
        return self._grid.cursor

    @property
    def chosen(self) -> tuple[RunView, ...]:
        """The run or the group under the cursor."""
        return self.board.members(self.cursor)

    @property
    def meant(self) -> tuple[RunView, ...]:
        """The runs that are changed: the marked ones or else the chosen, as far as they are shown.

        A group may also be shown for those that are nested under it: then it is meant as a whole.
        """
        shown = tuple(run for run in self.chosen if run.run_id in self._table.met)
        return self._met_marked or shown or self.chosen

    @property
    def marked(self) -> tuple[str, ...]:
        """The keys of rows that are marked and there."""
        return marks.whole(self.board, self._marked)

    def change(self, **changes: Any) -> None:
        """Change the view, and have it remembered."""
        self.view = replace(self.view, **changes)
        self._fill()
        self._keep()

    def choose(self, experiment: str) -> None:
        """Show an experiment's runs only, or all, as they were shown last."""
        self._act(lambda desk: desk.memory.choose(experiment))
        self._go(experiment)

    def filter(self) -> None:
        """Open the line of the filter."""
        self._line.open()

    def clear(self) -> None:
        """Show all runs again; if that is so already, take all marks away."""
        if not self._line.value:
            self._mark(frozenset())
        self._line.close()

    def mark(self) -> None:
        """Mark the row under the cursor, or take its mark away; go to the next."""
        if self.cursor is not None:
            self._mark(self._marked ^ {self.cursor})
            self._grid.action_move(1)

    def on_highlighted(self, message: Highlighted) -> None:
        """Tell the screen, also where this widget itself moved the cursor and bubbling ends."""
        message.stop()
        self.screen.post_message(Highlighted(message.key))

    def on_marked(self, message: Marked) -> None:
        """Mark these rows."""
        message.stop()
        self._mark(message.keys)

    def on_head_clicked(self, message: HeadClicked) -> None:
        """Sort by another column."""
        message.stop()
        field = self._table.headings[message.column].field
        self.change(order=views.clicked(self.view.order, field, message.more))

    def on_folded(self, message: Folded) -> None:
        """Show or hide the runs of a group."""
        message.stop()
        group = self.board.group_of(message.key)
        if group is None or not self.board.folds(group):
            return
        key, folded = group.key, self._table.folded
        unfold = key in folded if message.unfold is None else message.unfold
        if not unfold:
            self._grid.select(key)
        if unfold == (key in folded):
            self.change(
                folded=self.view.folded - {key} if unfold else self.view.folded | {key},
                unfolded=self.view.unfolded | {key} if unfold else self.view.unfolded - {key},
            )

    def on_filtered(self, message: Filtered) -> None:
        """Show what a filter leaves; it is remembered once it is typed, not letter by letter."""
        message.stop()
        if self._line.typed != self.view.filter:
            self.view = replace(self.view, filter=self._line.typed)
            self._fill()
        if not message.typing:
            self._keep()

    @property
    def _grid(self) -> Grid:
        return self.query_one(Grid)

    @property
    def _line(self) -> FilterLine:
        return self.query_one(FilterLine)

    def _act(self, action: Callable[[Desk], str]) -> None:
        self.screen.post_message(Act(action))

    def _ask(self, about: str, question: Callable[[Desk], T], reply: Callable[[T], object]) -> None:
        """Ask the desk; keys wait for views, which bring along what is typed into the filter."""
        leads = about == "view"
        self.screen.post_message(Ask(self.screen, about, question, reply, leads=leads))

    def _go(self, experiment: str) -> None:
        """Have the view of an experiment looked up, and show it."""
        known = self._views.get(experiment)  # which may not have been written yet
        self._ask(
            "view",
            lambda desk: known or desk.memory.view(experiment),
            partial(self._take, experiment),
        )

    def _begin(self, last: tuple[str, View]) -> None:
        """Go on as the last session was left."""
        self._take(*last)
        self._leave_unknown()

    def _leave_unknown(self) -> None:
        """Show all runs if there are some, but none of the experiment that is shown."""
        runs = self.board.runs.values()
        if self.experiment and runs and all(run.experiment != self.experiment for run in runs):
            self._go("")

    def _take(self, experiment: str, view: View) -> None:
        """Show an experiment with its view."""
        self._views[experiment] = view
        self.experiment, self.view = experiment, view
        self._line.take(view.filter)
        self._fill()

    def _keep(self) -> None:
        """Have a changed view remembered; also a filter that names what no run has yet."""
        experiment, view = self.experiment, self.view
        if view != self._views.get(experiment, View()):
            self._views[experiment] = view
            self._act(lambda desk: desk.memory.keep(experiment, view))

    def _fold_quiet(self) -> None:
        """Groups are first met unfolded if something happens in them, folded otherwise."""
        for group in self.board.groups:
            if group.key not in self._met:
                self._met.add(group.key)
                if not any(run.active for run in group.runs):
                    self._quiet.add(group.key)

    def _fill(self) -> None:
        """Show what the view says of the runs, once these are known."""
        shown = replace(self.view, filter=self._line.wanted)
        if self._seen:
            self._draw(shown)
        if (metrics := shown.extremes) != self._wanted:
            self._wanted = metrics
            self._ask("extremes", lambda desk: desk.want(metrics), lambda _: None)

    def _draw(self, shown: View) -> None:
        self._table = self._tabler.table(self.board, shown, self.experiment, self._quiet)
        grid, empty = self._grid, ALL_ARCHIVED if self._table.archived else self._empty
        if (self._table.columns, empty) != (grid.columns, grid.empty):
            grid.columns, grid.empty = self._table.columns, empty
            grid.refresh()
        grid.show(self._table.rows)
        self._meet_marked()
        self._entitle()

    def _mark(self, keys: frozenset[str]) -> None:
        self._marked = keys
        self._grid.mark(keys)
        self._meet_marked()
        self._entitle()

    def _meet_marked(self) -> None:
        """Find out once what every key asks for, as there may be thousands of runs."""
        groups = marks.groups(self.board, self.marked) if self._marked else ()
        runs = (run for group in groups for run in group.runs)
        self._met_marked = tuple(run for run in runs if run.run_id in self._table.met)

    def _beyond(self) -> str:
        """How many rows are marked of which no run is shown; they are compared, but not changed."""
        marked = (self.board.members(key) for key in self._marked)
        away = [runs for runs in marked if all(run.run_id not in self._table.met for run in runs)]
        return f" ({len(away)} not shown)" if away else ""

    def _entitle(self) -> None:
        """Say how many runs there are, and all of the view that the table itself does not say."""
        table, every = self._table, len(self.board.runs)
        whose = f"runs of {clean_line(self.experiment)}" if self.experiment else "runs"
        shown = f"{table.runs:,} of " if table.runs < every else ""
        said = [f"{whose}  {_count(table.groups, 'group')}, {shown}{_count(every, 'run')}"]
        if self.board.unreadable:
            said[0] += f", {self.board.unreadable} unreadable"
        if self.view.order:
            said.append(f"by {clean_line(','.join(map(str, self.view.order)))}")
        if table.hidden:
            said.append(f"{len(table.hidden)} constant hidden")
        if table.archived:
            said.append(f"{table.archived:,} archived hidden")
        if self.view.archived:
            said.append("archived shown")
        if self._marked:
            said.append(f"{len(self._marked)} marked{self._beyond()}")
        if self.board.remark and self.board.runs:
            said.append(clean_line(self.board.remark))
        if self._line.said:
            said.append(self._line.said)
        entitle(self, "  ".join(said))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
