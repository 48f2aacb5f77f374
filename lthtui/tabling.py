"""Rows of the table of runs: filtered, sorted and folded, made again only where runs changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from lthtui import columns
from lthtui.board import Board, Group, nested
from lthtui.columns import Heading
from lthtui.fields import ARCHIVED, Field, Value, number
from lthtui.filtering import Filter
from lthtui.suited import suited
from lthtui.table import Cell, Column, Row
from lthtui.views import Order, View

if TYPE_CHECKING:
    from lthtui.runview import RunView

    _Found = list[tuple[Group, Sequence[RunView]]]

STALE = 60.0  # seconds after which `today` in a filter is read again
T = TypeVar("T")


class Table(NamedTuple):
    """What a grid shows.

    Attributes:
        headings: those of the columns.
        groups, runs: how many meet the filter, whether they are folded away or not.
        hidden: headings that are left out because all that is shown has the same there.
        archived: how many more runs would be shown if they were not archived.
        met: the ids of the runs that meet the filter.
        folded: the keys of groups whose runs are folded away.
    """

    columns: tuple[Column, ...] = ()
    headings: tuple[Heading, ...] = ()
    rows: tuple[Row, ...] = ()
    groups: int = 0
    runs: int = 0
    hidden: tuple[Heading, ...] = ()
    archived: int = 0
    met: frozenset[str] = frozenset()
    folded: frozenset[str] = frozenset()


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
        self._suited: tuple[object, tuple[Heading, ...]] = (None, columns.DEFAULT)  # to which runs

    def table(
        self, board: Board, view: View, experiment: str = "", quiet: Collection[str] = ()
    ) -> Table:
        """What a view shows of a board. A group's figures count all its runs, shown or not.

        Args:
            experiment: the one whose runs are shown; empty for all.
            quiet: keys of groups that are folded unless the view has them unfolded, or its filter
                asks for some of what is below them.

        Raises:
            Misread: the view's filter cannot be read.
        """
        kept = ((group, self._kept.get(group.id)) for group in board.groups)
        self._kept = {
            group.id: old if old and old.group is group else _Kept(group) for group, old in kept
        }
        if view.headings == columns.DEFAULT:
            view = replace(view, headings=self._usual(board))
        found, archived, part = self._found(board, view, experiment)
        folded = view.folded.union(set(quiet) - view.unfolded - part)
        view = replace(view, folded=folded)
        found = self._sorted(found, view.order)
        hidden = self._constant(found, view) if view.hide_constant else ()
        headings = tuple(one for one in _named(view.headings) if one not in hidden)
        rows: list[Row] = []
        for place in _places(board, found, view.folded):
            colour = board.colours.get(place.group.id, "")
            rows += self._rows(place, headings, view, colour)
        return Table(
            columns=tuple(_column(one, at, view.order) for at, one in enumerate(headings)),
            headings=headings,
            rows=tuple(rows),
            groups=len(found),
            runs=sum(len(runs) for _, runs in found),
            hidden=hidden,
            archived=archived,
            met=frozenset(run.run_id for _, runs in found for run in runs),
            folded=folded,
        )

    def _usual(self, board: Board) -> tuple[Heading, ...]:
        """The columns of a view for which nobody has chosen any."""
        if self._suited[0] is not board.runs:
            self._suited = board.runs, suited(board.runs.values())
        return self._suited[1]

    def _found(
        self, board: Board, view: View, experiment: str
    ) -> tuple[_Found, int, frozenset[str]]:
        """Groups with their runs that meet the filter, and how many archived ones are left out.

        These are shown if the view has them shown, or its filter asks which are archived. Also the
        keys of groups of which the filter asks for some runs, or for what is nested under them.
        """
        read, at = self._read
        if view.filter != read or time.monotonic() - at > STALE:
            self._filter, self._read = Filter.parse(view.filter), (view.filter, time.monotonic())
        wanted, every = self._filter, view.archived or ARCHIVED in self._filter.fields
        found: _Found = []
        part: set[str] = set()
        archived = 0
        for group in board.groups:
            runs: Sequence[RunView] = group.runs
            if experiment:
                runs = [run for run in runs if run.experiment == experiment]
            if wanted.node is not None:
                whole, runs = runs, [run for run in runs if wanted(run, group)]
                part |= {group.key} if len(runs) < len(whole) else set()
            if not every:
                here = [run for run in runs if not run.archived]
                archived += len(runs) - len(here)
                runs = here
            if runs:
                found.append((group, runs))
        if wanted.node is not None:
            above = {id for group, _ in found for id in group.under}
            part |= {group.key for group in board.groups if group.id in above}
        return found, archived, frozenset(part)

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
            values |= self._different(group, runs, asked)
            if len(values) > 1:
                return False
        return True

    def _different(
        self, group: Group, runs: Sequence[RunView], asked: Field
    ) -> frozenset[Value | None]:
        """The values of a group's runs that are shown; those of all of them are kept."""
        if len(runs) < len(group.runs):
            return frozenset(asked.of(run, group) for run in runs)
        kept = self._kept[group.id].different
        if asked not in kept:
            kept[asked] = frozenset(asked.of(run, group) for run in runs)
        return kept[asked]

    def _rows(
        self, place: _Place, headings: tuple[Heading, ...], view: View, colour: str
    ) -> list[Row]:
        """The row of a group and those of its runs, or the only run's."""
        group, runs = place.group, place.runs
        head = _Head(
            headings,
            colour,
            nested=group.control and not view.order,
            folded=group.key in view.folded,
            depth=place.depth,
            parent=place.parent,
            shown=len(runs),
        )
        if len(group.runs) == 1:
            return [self._kept_row(group, group.key, head, partial(_alone, group, head))]
        rows = [self._kept_row(group, group.key, head, partial(_group, group, head))]
        if not head.folded:
            for one in reversed(view.order):
                runs = arranged(runs, partial(_of, one.field, group), one)
            of = (headings, place.depth)
            rows += [
                self._kept_row(group, run.run_id, of, partial(_child, run, group, *of))
                for run in runs
            ]
        return rows

    def _kept_row(self, group: Group, key: str, of: object, make: Callable[[], Row]) -> Row:
        """A row as it was made before from the same, or a new one."""
        rows = self._kept[group.id].rows
        if key not in rows or rows[key][0] != of:
            rows[key] = (of, make())
        return rows[key][1]


class _Place(NamedTuple):
    """Where a group stands.

    Attributes:
        runs: those that are shown.
        depth: under how many others it is nested.
        parent: whether others that are shown are nested under it.
    """

    group: Group
    runs: Sequence[RunView]
    depth: int
    parent: bool


class _Head(NamedTuple):
    """All that the row of a group depends on but the group: as a tuple it is compared fast.

    Attributes:
        nested: whether it stands under what it controls.
        folded: whether what stands under it is hidden.
        depth, parent: see `_Place`.
        shown: how many of its runs are shown.
    """

    headings: tuple[Heading, ...]
    colour: str
    nested: bool
    folded: bool
    depth: int
    parent: bool
    shown: int

    @property
    def fold(self) -> str:
        """Whether it is folded, as a sign."""
        return "▸" if self.folded else "▾"


def _places(board: Board, found: _Found, folded: Collection[str]) -> list[_Place]:
    """Groups in their order, those that are nested under another right behind that.

    What something is nested under is shown with it, whether it meets the filter or not.
    """
    if not any(group.under for group, _ in found):
        return [_Place(group, runs, 0, False) for group, runs in found]
    runs = {group.id: shown for group, shown in found}
    everything = {group.id: group for group in board.groups}
    known: dict[str, Group] = {}
    for group, _ in found:
        known |= {id: everything[id] for id in group.under if id not in runs}
        known[group.id] = group
    above = {id for group, _ in found for id in group.under}
    places = []
    for group in nested(known.values()):
        if not any(known[id].key in folded for id in group.under):
            shown = runs.get(group.id, group.runs)
            places.append(_Place(group, shown, len(group.under), group.id in above))
    return places


def arranged(things: Iterable[T], worth: Callable[[T], Value | None], by: Order) -> list[T]:
    """Things in order; in either direction numbers come first, and what has no value last."""
    ranked = [(_rank(worth(thing)), thing) for thing in things]
    known = [(rank, thing) for rank, thing in ranked if rank is not None]
    known.sort(key=lambda pair: pair[0], reverse=by.descending)
    known.sort(key=lambda pair: pair[0][0])  # text behind numbers, each as it was
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
    arrow = ""
    for place, one in enumerate(order, start=1):
        if one.field == heading.field:
            arrow = ("↓" if one.descending else "↑") + (str(place) if len(order) > 1 else "")
    return Column(f"{heading.shown}{arrow}", heading.rank(position), heading.right, heading.width)


def _group(group: Group, head: _Head) -> Row:
    count = columns.tally(group)
    if head.shown < len(group.runs):
        count += f" ({head.shown} shown)"
    cells = (
        _name(f"{group.label}  {count}", head) if one.field.name == "name" else one.summary(group)
        for one in head.headings
    )
    return Row(group.key, tuple(cells), head.depth, head.fold)


def _alone(group: Group, head: _Head) -> Row:
    (run,) = group.runs
    cells = _cells(run, group, head.headings, _name(f"{group.label}{_aside(run)}", head))
    return Row(group.key, cells, head.depth, head.fold if head.parent else "")


def _of(asked: Field, group: Group, run: RunView) -> Value | None:
    return asked.of(run, group)


def _child(run: RunView, group: Group, headings: Sequence[Heading], depth: int) -> Row:
    own = f"  {run.display_name}" if run.display_name not in ("", group.label) else ""
    name = Cell(f"{run.repetition}{own}{_aside(run)}", "dim")
    return Row(run.run_id, _cells(run, group, headings, name), depth + 1)


def _aside(run: RunView) -> str:
    """What is said of a run behind its name."""
    return "  archived" if run.archived else ""


def _cells(run: RunView, group: Group, headings: Sequence[Heading], name: Cell) -> tuple[Cell, ...]:
    cells = (name if one.field.name == "name" else one.cell(run, group) for one in headings)
    return tuple(cells)


def _name(label: str, head: _Head) -> Cell:
    """What a group is called, in its colour, and whether it stands under what it controls."""
    return Cell(f"└ {label}" if head.nested else label, head.colour)
