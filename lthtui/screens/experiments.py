"""Asks which experiment's runs are to be shown."""

from __future__ import annotations

from collections import Counter

from lthtui.board import GLYPHS, Board
from lthtui.columns import moment
from lthtui.screens.picker import PickScreen
from lthtui.table import Cell, Column, Row
from lthtui.text import clean_line


class ExperimentScreen(PickScreen[str]):
    """Returns the experiment, empty for all of them."""

    COLUMNS = (
        Column("experiment", 0),
        Column("runs", 1, right=True),
        Column("states", 2),
        Column("newest", 3),
    )

    def __init__(self, board: Board, chosen: str) -> None:
        super().__init__("Show the runs of", placeholder="type to search")
        self._board, self._chosen = board, chosen

    def on_mount(self) -> None:
        """Begin at the one that is shown."""
        self.call_after_refresh(self.grid.select, self._chosen)

    def rows(self) -> list[Row]:
        """All of them, then each whose name has what is typed, the newest first."""
        wanted, found = self.line.value.strip().lower(), self._rows()
        return [row for row in found if not wanted or wanted in row.cells[0].text.lower()]

    def action_accept(self) -> None:
        """Answer with the experiment under the cursor."""
        if self.grid.cursor is not None:
            self.dismiss(self.grid.cursor)

    def _rows(self) -> list[Row]:
        states: dict[str, Counter[str]] = {}
        newest: dict[str, float] = {}
        for run in self._board.runs.values():
            for name in ("", run.experiment):
                states.setdefault(name, Counter())[run.status] += 1
                newest[name] = max(newest.get(name, 0.0), run.created)
        names = sorted(states, key=lambda name: (name != "", -newest[name]))
        return [_row(name, states[name], newest[name]) for name in names]


def _row(name: str, states: Counter[str], newest: float) -> Row:
    shown = clean_line(name) if name else "all experiments"
    counts = " ".join(f"{GLYPHS[one]}{states[one]}" for one in GLYPHS if states[one])
    cells = (Cell(shown, "" if name else "name"), Cell(f"{states.total():,}"), Cell(counts))
    return Row(name, (*cells, Cell(moment(newest) if newest else "–", "dim")))
