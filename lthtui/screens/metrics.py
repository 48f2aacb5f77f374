"""Asks which metrics of runs are to be drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.binding import Binding

from lthtui.messages import Folded, Marked
from lthtui.screens.picker import PickScreen
from lthtui.table import Cell, Column, Row
from lthtui.text import clean_line

SYSTEM = "system/"
FIRST = ("epoch/", "level/", "evaluation/", "winning/")  # groups of metrics; the others follow


class MetricsScreen(PickScreen[tuple[str, ...]]):
    """Returns the metrics that are marked, or else the one under the cursor; None for none.

    They are listed by group; what was measured of the machine only shows once it is asked for.

    Args:
        values: of each metric the newest.
        drawn: what is drawn now.
        most: how many may be drawn.
    """

    BINDINGS = [
        Binding("space", "choose", "Add/remove", priority=True, id="metrics.toggle"),
    ]
    COLUMNS = (Column("metric", 0), Column("newest", 1, right=True), Column("drawn", 2))
    MARKS = True
    KEYS = " "

    def __init__(self, values: Mapping[str, float], drawn: Sequence[str], most: int) -> None:
        super().__init__("Metrics to draw", placeholder="type to search")
        self._values, self._drawn, self._most = values, drawn, most
        self._marked: tuple[str, ...] = ()
        self._folded = {SYSTEM}
        self.first = next(iter(drawn), "")

    def rows(self) -> list[Row]:
        """Groups with what is in them, or metrics of all groups that have what is typed."""
        words = self.line.value.lower().split()
        found = [name for name in self._values if all(word in name.lower() for word in words)]
        groups: dict[str, list[str]] = {}
        if words:
            return [self._row(name, 0) for name in sorted(found, key=_place)]
        for name in sorted(found):
            groups.setdefault(_group(name), []).append(name)
        rows = []
        for group in sorted(groups, key=_rank):
            folded = group in self._folded
            count = Cell(f"{len(groups[group])}", "dim")
            cells = (Cell(clean_line(group) or "others", "dim"), count, Cell(""))
            rows.append(Row(f"group {group}", cells, fold="▸" if folded else "▾"))
            rows += [] if folded else [self._row(name, 1) for name in groups[group]]
        return rows

    def on_folded(self, message: Folded) -> None:
        """A click before a group's name shows or hides what is in it."""
        message.stop()
        self._fold(message.key)

    def on_marked(self, message: Marked) -> None:
        """A click before a name adds or removes it, as space does."""
        self.action_choose()

    def action_choose(self) -> None:
        """Add what is under the cursor to what is to be drawn, or remove it."""
        name = self.grid.cursor or ""
        if name in self._marked:
            self._marked = tuple(one for one in self._marked if one != name)
        elif name in self._values:
            if len(self._marked) == self._most:
                self.say(f"no more than {self._most} at a time: take one away first")
                return
            self._marked = (*self._marked, name)
        else:
            self._fold(name)
        self.say("")
        self.grid.mark(self._marked)
        self.grid.action_move(1)

    def action_accept(self) -> None:
        """Answer with what is marked, or with what is under the cursor."""
        name = self.grid.cursor or ""
        if self._marked:
            self.dismiss(self._marked)
        elif name in self._values:
            self.dismiss((name,))
        else:
            self._fold(name)

    def _fold(self, key: str) -> None:
        """Show or hide what is in a group, if there is one under the cursor."""
        if not key:
            return
        self._folded ^= {key.removeprefix("group ")}
        self.fill()

    def _row(self, name: str, depth: int) -> Row:
        drawn = name in self._drawn
        cells = (
            Cell(clean_line(name), "name" if drawn else ""),
            Cell(f"{self._values[name]:.4g}"),
            Cell("●" if drawn else "", "name"),
        )
        return Row(name, cells, depth)


def _group(name: str) -> str:
    head, slash, _ = name.partition("/")
    return head + slash if slash else ""


def _place(name: str) -> tuple[tuple[int, str], str]:
    return _rank(_group(name)), name


def _rank(group: str) -> tuple[int, str]:
    if group in FIRST:
        return FIRST.index(group), ""
    return len(FIRST) + (group == SYSTEM), group
