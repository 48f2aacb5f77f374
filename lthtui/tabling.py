"""Rows of the table of runs: filtered, sorted and folded, made again only where runs changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from lthtui import columns
from lthtui.board import Board, Group
from lthtui.columns import Heading
from lthtui.fields import ARCHIVED, Field, Value, number
from lthtui.filtering import Filter
from lthtui.runview import RunView
from lthtui.table import Cell, Column, Row
from lthtui.views import Order, View

STALE = 60.0  # seconds after which `today` in a filter is read again
T = TypeVar("T")
_Found = list[tuple[Group, Sequence[RunView]]]


@dataclass(frozen=True)
class Table:
    """What a grid shows.

    Attributes:
        groups, runs: how many meet the filter, whether they are folded away or not.
        hidden: headings that are left out because all that is shown has the same there.
    """

    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    groups: int = 0
    runs: int = 0
    hidden: tuple[Heading, ...] = ()


@dataclass
class _Kept:
    """What was made of a group as it is.

    Attributes:
        rows: by their keys, with what else they depend on.
        worths: by field, what it is sorted by.
        different: by field, the values of its runs.
    """

    group: Group
    rows: dict[str, tuple[object, Row]] = field(default_factory=dict)
    worths: dict[Field, Value | None] = field(default_factory=dict)
    different: dict[Field, frozenset[Value | None]] = field(default_factory=dict)


class Tabler:
    """Makes the rows of one table; it keeps those of groups that are as they were."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._filter, self._read = Filter(), ("", 0.0)  # from what, and when

    def table(self, board: Board, view: View) -> Table:
        """What a view shows of a board. A group's figures count all its runs, shown or not.

        Raises:
            Misread: the view's filter cannot be read.
        """
        kept = ((group, self._kept.get(group.id)) for group in board.groups)
        self._kept = {
            group.id: old if old and old.group is group else _Kept(group) for group, old in kept
        }
        found = self._sorted(self._found(board, view.filter), view.order)
        hidden = self._constant(found, view) if view.hide_constant else ()
        headings = tuple(one for one in _named(view.headings) if one not in hidden)
        rows: list[Row] = []
        for group, runs in found:
            rows += self._rows(group, runs, headings, view, board.colours.get(group.id, ""))
        return Table(
            columns=tuple(_column(one, at, view.order) for at, one in enumerate(headings)),
            rows=tuple(rows),
            groups=len(found),
            runs=sum(len(runs) for _, runs in found),
            hidden=hidden,
        )

    def _found(self, board: Board, text: str) -> _Found:
        """Groups with their runs that meet the filter; archived ones only if it asks for them."""
        read, at = self._read
        if text != read or time.monotonic() - at > STALE:
            self._filter, self._read = Filter.parse(text), (text, time.monotonic())
        wanted, aside = self._filter, ARCHIVED in self._filter.fields
        found: _Found = []
        for group in board.groups:
            runs = group.runs if aside else [run for run in group.runs if not run.archived]
            if wanted.node is not None:
                runs = [run for run in runs if wanted(run, group)]
            if runs:
                found.append((group, runs))
        return found

    def _sorted(self, found: _Found, order: Sequence[Order]) -> _Found:
        for one in reversed(order):  # sorting is stable: the first key comes last
            found = arranged(found, partial(self._worth, one.field), one)
        return found

    def _worth(self, by: Field, found: tuple[Group, Sequence[RunView]]) -> Value | None:
        group, _ = found
        worths = self._kept[group.id].worths
        if by not in worths:
            worths[by] = columns.worth(by, group)
        return worths[by]

    def _constant(self, found: _Found, view: View) -> tuple[Heading, ...]:
        """Headings under which all runs that are shown have the same; none of a single run."""
        if sum(len(runs) for _, runs in found) < 2:
            return ()
        loose = (one for one in view.headings if not one.pinned and one.field.name != "name")
        return tuple(one for one in loose if self._same(found, one.field))

    def _same(self, found: _Found, asked: Field) -> bool:
        values: set[Value | None] = set()
        for group, runs in found:
            different = self._kept[group.id].different
            if len(runs) < len(group.runs):
                values.update(asked.of(run, group) for run in runs)
            elif asked not in different:
                different[asked] = frozenset(asked.of(run, group) for run in runs)
            values |= different.get(asked, frozenset())
            if len(values) > 1:
                return False
        return True

    def _rows(
        self,
        group: Group,
        runs: Sequence[RunView],
        headings: tuple[Heading, ...],
        view: View,
        colour: str,
    ) -> list[Row]:
        """The row of a group and those of its runs, or the only run's."""
        folded, nested = group.key in view.folded, group.control and not view.order
        head = (headings, colour, nested, folded)
        if len(group.runs) == 1:
            return [self._kept_row(group, group.key, head, partial(_alone, group, *head))]
        rows = [self._kept_row(group, group.key, head, partial(_head, group, *head))]
        if not folded:
            for one in reversed(view.order):
                runs = arranged(runs, partial(_of, one.field, group), one)
            rows += [
                self._kept_row(group, run.run_id, headings, partial(_child, run, group, headings))
                for run in runs
            ]
        return rows

    def _kept_row(self, group: Group, key: str, of: object, make: Callable[[], Row]) -> Row:
        """A row as it was made before from the same, or a new one."""
        rows = self._kept[group.id].rows
        if key not in rows or rows[key][0] != of:
            rows[key] = (of, make())
        return rows[key][1]


def arranged(things: Iterable[T], worth: Callable[[T], Value | None], by: Order) -> list[T]:
    """Things in order, numbers before text, and what has no value last in either direction."""
    ranked = [(_rank(worth(thing)), thing) for thing in things]
    known = [(rank, thing) for rank, thing in ranked if rank is not None]
    known.sort(key=lambda pair: pair[0], reverse=by.descending)
    missing = [thing for rank, thing in ranked if rank is None]
    return [*(thing for _, thing in known), *missing]


def _rank(value: Value | None) -> tuple[bool, float, str] | None:
    """What a value is compared by; NaN is no value."""
    figure = number(value) if isinstance(value, str) else value
    if figure is not None and figure == figure:
        return (False, figure, "")
    return (True, 0.0, value.lower()) if isinstance(value, str) and value else None


def _named(headings: tuple[Heading, ...]) -> tuple[Heading, ...]:
    """The headings, with that of names first where there is none: rows are known by it."""
    named = any(one.field.name == "name" for one in headings)
    return headings if named else (columns.DEFAULT[0], *headings)


def _column(heading: Heading, position: int, order: Sequence[Order]) -> Column:
    arrow = next(
        ("↓" if one.descending else "↑" for one in order if one.field == heading.field), ""
    )
    return Column(f"{heading.shown}{arrow}", heading.rank(position), heading.right, heading.width)


def _head(
    group: Group, headings: Sequence[Heading], colour: str, nested: bool, folded: bool
) -> Row:
    cells = (
        _name(f"{group.label}  n={len(group.runs)}", colour, nested)
        if one.field.name == "name"
        else one.summary(group)
        for one in headings
    )
    return Row(group.key, tuple(cells), fold="▸" if folded else "▾")


def _of(asked: Field, group: Group, run: RunView) -> Value | None:
    return asked.of(run, group)


def _alone(
    group: Group, headings: Sequence[Heading], colour: str, nested: bool, folded: bool
) -> Row:
    name = _name(group.label, colour, nested)
    return Row(group.key, _cells(group.runs[0], group, headings, name))


def _child(run: RunView, group: Group, headings: Sequence[Heading]) -> Row:
    return Row(run.run_id, _cells(run, group, headings, Cell(f"s{run.seed}", "dim")), depth=1)


def _cells(run: RunView, group: Group, headings: Sequence[Heading], name: Cell) -> tuple[Cell, ...]:
    cells = (name if one.field.name == "name" else one.cell(run, group) for one in headings)
    return tuple(cells)


def _name(label: str, colour: str, nested: bool) -> Cell:
    """What a group is called, in its colour, and whether it stands under what it controls."""
    return Cell(f"└ {label}" if nested else label, colour)
