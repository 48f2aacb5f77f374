"""Groups side by side: their curves in one chart, their figures with tests, and what differs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from lthtui import marks, sides
from lthtui.board import Board, Group
from lthtui.compared import Compared
from lthtui.contrast import SPLITS
from lthtui.counting import counted
from lthtui.messages import Act, Ask, Folded, Highlighted
from lthtui.screens.base import RunsScreen
from lthtui.sides import DRAWN, Asked, Sides
from lthtui.significance import TESTS
from lthtui.table import Column
from lthtui.widgets.chart import ChartView
from lthtui.widgets.grid import Grid
from lthtui.widgets.keybar import KeyBar
from lthtui.widgets.topbar import TopBar

if TYPE_CHECKING:
    from lthtui.desk import Desk

EXPORTS = {
    ".md .tex": "the tables, with the test in words",
    ".csv": "the values of every seed, too",
    ".png .svg .pdf": "the chart as it is shown",
}
PANES = ("overlay", "figures", "settings")
FIGURE, NAME, MEASURE = 14, 40, 20  # cells of a figure, of a name at most, of what is measured
COMPARING = "comparing…"
NOTHING = "nothing to compare yet: mark rows of 1 Runs with space, and press c there"
SHOWN = {
    "density": "accuracy by weights kept",
    "loss": "training loss",
    "accuracy": "validation accuracy by epoch",
}


class CompareScreen(RunsScreen):
    """Compares groups that were chosen; narrow terminals show one pane, wide ones all."""

    CSS_PATH = "../styles/compare.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
    BINDINGS = [
        Binding("right_square_bracket", "pane(1)", "Pane", id="compare.next_pane"),
        Binding(
            "left_square_bracket", "pane(-1)", "Pane before", show=False, id="compare.pane_before"
        ),
        Binding("B", "baseline", "Baseline", id="compare.baseline"),
        Binding("P", "test", "Test", id="compare.test"),
        Binding("v", "split", "Val/test", show=False, id="compare.split"),
        Binding("m", "drawn", "Curve", id="compare.drawn"),
        Binding("full_stop", "level(1)", "Next level", show=False, id="compare.next_level"),
        Binding("comma", "level(-1)", "Level before", show=False, id="compare.level_before"),
        Binding("equals_sign", "whole", "All keys", id="compare.whole"),
        Binding("E", "export", "Export", id="compare.export"),
    ]

    def __init__(self, root: str, clock: Callable[[], float]) -> None:
        super().__init__()
        self._root, self._clock = root, clock
        self._keys: tuple[str, ...] = ()
        self._groups: tuple[Group, ...] = ()
        self._asked, self._whole, self._first = Asked(), False, 0
        self._sides: Sides | None = None
        self._told: str | None = None  # key of the row that is told in full

    def compose(self) -> ComposeResult:
        """Header; chart, figures and settings; what the cursor is on in full; keys."""
        yield TopBar(self._root, self._clock, "compare")
        with Horizontal(id="sides"):
            with Vertical(id="left"):
                yield ChartView(id="overlay", classes="pane", kind="compare")
                with Vertical(id="figures", classes="pane -shown"):
                    yield Grid([Column("", 0)], NOTHING, id="figures-table", opens=False)
                    yield Static(id="remarks", markup=False)
            with Vertical(id="settings", classes="pane"):
                yield Grid([Column("", 0)], NOTHING, id="settings-table", opens=False)
        yield Static(id="full", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Start with the figures in focus, and with what was compared in the last session."""
        self.query_one("#figures-table").focus()
        self._entitle()
        self.post_message(Ask(self, "last", lambda desk: desk.memory.compared(), self._begin))

    def compare(self, keys: tuple[str, ...]) -> None:
        """Compare other groups, by their keys as `marks.whole` gives them."""
        self._keys, self._first = keys, 0
        self._asked = replace(self._asked, baseline="", level=Asked.level)
        self._keep()
        self.show_board(self.board)

    def show_board(self, board: Board) -> None:
        """Compare again where one of the groups has changed."""
        super().show_board(board)
        if not self.is_mounted:
            return
        self.query_one(TopBar).show(board.counts)
        groups = marks.groups(board, self._keys)
        if groups != self._groups:
            self._groups = groups
            self._ask()

    def on_resize(self) -> None:
        """There is room for more groups, or for fewer."""
        self.call_after_refresh(self._fill)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing here stops or resumes runs."""
        return action not in ("stop", "pause", "resume", "copy")

    def on_highlighted(self, message: Highlighted) -> None:
        """Tell of another row, if it is of the table in focus: both are filled anew at a time."""
        self.on_descendant_focus()

    def on_descendant_focus(self) -> None:
        """Tell what the cursor of the table in focus is on."""
        if isinstance(self.focused, Grid):
            self._tell(self.focused.cursor)

    def on_folded(self, message: Folded) -> None:
        """Bring the groups further right, or left, into view."""
        if self._sides and message.unfold is not None:
            last = max(len(self._sides.groups) - 2, 0)
            self._first = min(max(self._first + (1 if message.unfold else -1), 0), last)
            self._fill()

    # ---- keys

    def action_pane(self, by: int) -> None:
        """Show the next pane where there is room for one only; give it the focus."""
        panes = [self.query_one(f"#{name}") for name in PANES]
        at = next(index for index, pane in enumerate(panes) if pane.has_class("-shown"))
        shown = panes[(at + by) % len(panes)]
        for pane in panes:
            pane.set_class(pane is shown, "-shown")
        (shown if isinstance(shown, ChartView) else shown.query_one(Grid)).focus()
        self.call_after_refresh(self._fill)  # it may only now have a width

    def action_baseline(self) -> None:
        """Test against the next group."""
        if self._sides:
            groups = self._sides.groups
            at = (self._sides.baseline + 1) % len(groups)
            self._first = 0
            self._change(replace(self._asked, baseline=groups[at].id))

    def action_test(self) -> None:
        """Test in another way."""
        self._change(replace(self._asked, test=sides.following(self._asked.test, [*TESTS])))

    def action_split(self) -> None:
        """Show the accuracies at densities on the other images."""
        self._change(replace(self._asked, split=sides.following(self._asked.split, SPLITS)))

    def action_drawn(self) -> None:
        """Draw other curves."""
        self._change(replace(self._asked, drawn=sides.following(self._asked.drawn, DRAWN)))

    def action_level(self, by: int) -> None:
        """Draw the training curves of another level; before the first come the picked levels."""
        most = sides.levels(self._groups) - 1
        level = min(max(self._asked.level + by, Asked.level), most)
        drawn = "loss" if self._asked.drawn == "density" else self._asked.drawn
        self._change(replace(self._asked, level=level, drawn=drawn))

    def action_whole(self) -> None:
        """Show all settings, or only those that differ."""
        self._whole = not self._whole
        self._keep()
        self._fill()

    def action_export(self) -> None:
        """Ask for a file, and write the comparison to it."""
        if self._sides is None:
            return
        from lthtui import exports
        from lthtui.screens.export import export

        material = sides.material(self._sides, self._whole, self.query_one(ChartView).viewer)
        name = re.sub(r"[^\w.-]+", "-", " ".join(self._sides.contrast.labels[:2])).strip("-")

        def write(_: Desk, file: Path, overwrite: bool) -> str:
            return exports.written_to(material, file, overwrite)

        export(self, "Export to", f"{name or 'comparison'}.md", write, EXPORTS)

    # ---- showing

    def _begin(self, last: Compared) -> None:
        """Go on as the last session was left, unless something is compared by now."""
        if not self._keys:
            self._keys, self._asked, self._whole = last.keys, last.asked, last.whole
            self.show_board(self.board)

    def _change(self, asked: Asked) -> None:
        self._asked = asked
        self._keep()
        self._ask()

    def _keep(self) -> None:
        """Have what is compared remembered."""
        chosen = Compared(self._keys, self._asked, self._whole)
        self.post_message(Act(lambda desk: desk.memory.compare(chosen)))

    def _ask(self) -> None:
        groups, colours, asked = self._groups, self.board.colours, self._asked
        if groups:
            for grid in self.query(Grid):
                grid.empty = COMPARING
                grid.refresh()
            self.post_message(
                Ask(self, "sides", lambda _: sides.look(groups, colours, asked), self._show)
            )

    def _show(self, found: Sides) -> None:
        self._sides = found
        self.query_one(ChartView).show(found.panel)
        self._fill()
        self._tell(self._told)  # what that row says may be another thing now

    def _fill(self) -> None:
        """Fill the tables, as many groups as there is room for."""
        found = self._sides
        if found is None:
            return
        shown = sides.order(found, self._first)
        figures, settings = (self.query_one(f"#{name}-table", Grid) for name in PANES[1:])
        each = (figures.size.width - MEASURE) // len(shown) - 2
        figures.columns = sides.columns(found, shown, "", min(max(each, FIGURE), NAME))
        figures.show(sides.figures(found, shown, self.board.colours))
        settings.empty = "all settings are the same; = shows them"
        meant = sides.meant(found, self._whole)
        room = sides.Room.of(settings.size.width, len(shown), meant)
        settings.columns = sides.columns(found, shown[: room.groups], "key", room.value)
        settings.show(sides.settings(found, shown[: room.groups], self._whole, room))
        self.query_one("#remarks", Static).update("\n".join(sides.notes(found)))
        self._entitle()

    def _entitle(self) -> None:
        """Say what the panes show."""
        found, asked = self._sides, self._asked
        count = counted(len(found.groups), "group") if found else "compare"
        self.query_one("#overlay").border_title = Content(f"{count}  {SHOWN[asked.drawn]}")
        self.query_one("#figures").border_title = Content(f"mean±std (seeds)  {TESTS[asked.test]}")
        what = "all settings" if self._whole else "settings that differ"
        self.query_one("#settings").border_title = Content(what)
        more = "h l  other groups" if found and len(found.groups) > 2 else ""
        for name in ("figures", "settings"):
            self.query_one(f"#{name}").border_subtitle = Content(more)

    def _tell(self, key: str | None) -> None:
        self._told = key
        if self._sides:
            self.query_one("#full", Static).update(sides.in_full(self._sides, key))
