"""The table of spec files: which of them hold something to save, and what each asks for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

from lthtui.messages import Ask
from lthtui.table import Cell, Column, Row
from lthtui.text import clean_line
from lthtui.widgets.grid import Grid

if TYPE_CHECKING:
    from lthtui.prospect import Prospect

UNKNOWN = Cell("", "dim")
ABSENT = Cell("no data", "dim")  # as for most specs before a data set was downloaded


class SpecList(Grid):
    """Has files looked into that nobody has turned to yet, one after another."""

    def __init__(self, id: str) -> None:
        super().__init__((Column("spec", rank=0), Column("runs", rank=1, right=True)), id=id)
        self._paths: Sequence[str] = ()
        self._unsaved: Collection[str] = ()
        self._asked: dict[str, Cell] = {}  # by path, what is asked for

    def fill(self, paths: Sequence[str], unsaved: Collection[str]) -> None:
        """Show these files, and with a star which of them are to be saved."""
        self._paths, self._unsaved = paths, unsaved
        self.show([self._file(path) for path in paths])

    def take(self, path: str, prospect: Prospect) -> None:
        """Show what a file asks for."""
        self._asked[path] = _asked(prospect)
        self.fill(self._paths, self._unsaved)

    def forget(self) -> None:
        """Know of no file any more what it asks for: they may have changed."""
        self._asked.clear()

    def find_out(self) -> None:
        """Have the next file looked into that is not known; a draft is once it is turned to."""
        unknown = (one for one in self._paths if one not in (*self._asked, *self._unsaved))
        if path := next(unknown, None):
            look, reply = (lambda desk: desk.specs.sketch(path)), partial(self._found_out, path)
            self.screen.post_message(Ask(self.screen, "files", look, reply, patient=True))

    def _found_out(self, path: str, prospect: Prospect) -> None:
        if path not in self._asked:  # or else somebody turned to it meanwhile
            self.take(path, prospect)
        self.find_out()

    def _file(self, path: str) -> Row:
        star = "*" if path in self._unsaved else ""
        name = clean_line(path.rpartition("/")[2].removesuffix(".yaml"))
        return Row(path, (Cell(f"{name}{star}"), self._asked.get(path, UNKNOWN)))


def _asked(prospect: Prospect) -> Cell:
    """How many runs, or what there is instead of them."""
    if prospect.problems:
        return ABSENT if prospect.absent else Cell(f"✗{len(prospect.problems)}", "failed")
    return Cell(f"{prospect.runs:,}" if prospect.runs else "search")
