"""What `lthtui list` is asked for: runs that meet a filter, in an order, with columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from engine.errors import UsageError
from lthtui import catalogue, columns, fields, views
from lthtui.board import Group, board
from lthtui.fields import Misread
from lthtui.filtering import Filter
from lthtui.runview import RunView
from lthtui.tabling import arranged
from lthtui.text import clean_line

T = TypeVar("T")
HELP = "help"  # in the place of columns
_NAMES = ("id", "name")  # of what a line must say one of


class Listing:
    """Runs in the order in which they are listed, and what can be asked of them.

    Args:
        labels: of groups whose runs' name does not do.
    """

    def __init__(self, runs: Iterable[RunView], labels: Mapping[str, str]) -> None:
        self.runs = {run.run_id: run for run in runs}
        groups = board(self.runs, labels, {}).groups
        self._groups = {run.run_id: group for group in groups for run in group.runs}
        self._known = fields.names(self.runs.values()) if self.runs else None

    def found(self, text: str) -> list[RunView]:
        """The runs that meet a filter.

        Raises:
            UsageError: it cannot be read, or asks for what no run has.
        """
        wanted = _told("--filter", text, Filter.parse, self._known)
        return [run for run in self.runs.values() if wanted(run, self._of(run))]

    def arranged(self, runs: Iterable[RunView], text: str) -> list[RunView]:
        """Runs by fields between commas, each after a `-` to have the largest first.

        Raises:
            UsageError: one of the fields is none.
        """
        runs = list(runs)
        for order in reversed(_told("--sort", text, views.orders, self._known)):
            runs = arranged(runs, partial(self._value, order.field), order)
        return runs

    def table(self, runs: Iterable[RunView], text: str) -> list[list[str]]:
        """A header and a line for each run, with the fields between commas.

        `help` in their place gives a line for each field that there is.

        Raises:
            UsageError: one of the fields is none.
        """
        if text.strip() == HELP:
            known = catalogue.entries(self.runs.values())
            return [
                ["FIELD", "WHAT IT IS"],
                *([clean_line(one.field.name), one.about] for one in known),
            ]
        headings = _told("--columns", text, columns.parse, self._known)
        if not any(one.field.name in _NAMES for one in headings):
            headings = (*columns.parse("id"), *headings)
        lines = [[heading.shown.upper() for heading in headings]]
        for run in runs:
            lines.append([one.cell(run, self._of(run)).text for one in headings])
        return lines

    def _of(self, run: RunView) -> Group:
        return self._groups[run.run_id]

    def _value(self, field: fields.Field, run: RunView) -> fields.Value | None:
        return field.of(run, self._of(run))


def needs_curves(*texts: str) -> bool:
    """Whether what is asked may need what was measured in epochs, which takes long to read."""
    return any("/" in text or "metrics." in text or text.strip() == HELP for text in texts)


def _told(
    option: str,
    text: str,
    parse: Callable[[str, Collection[str] | None], T],
    known: Sequence[str] | None,
) -> T:
    """What a text means.

    Raises:
        UsageError: nothing; says where.
    """
    try:
        return parse(text, known)
    except Misread as error:
        shown = text[: error.column - 1]
        mark = " " * len(clean_line(shown, len(text) + 1)) + "^"
        whole = clean_line(text, len(text) + 1)
        raise UsageError(f"{option}, {error}\n  {whole}\n  {mark}") from None
