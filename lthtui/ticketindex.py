"""All tickets across experiments as one list: which there are, in what order, and their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Literal

from lthtui import columns, verdict
from lthtui.board import Board, Group, accuracy, percent
from lthtui.fields import Field, Value
from lthtui.filtering import Filter
from lthtui.planning import size
from lthtui.runview import LevelView, RunView
from lthtui.table import NOTHING, Cell, Column, Row
from lthtui.tabling import arranged
from lthtui.text import clean_line
from lthtui.views import Order

Which = Literal["picked", "winning", "all"]
WHICH: tuple[Which, ...] = ("picked", "all", "winning")
ORDERS = tuple(  # which key sorts by, one after another
    Order(Field.parse(name), down)
    for name, down in (
        ("created", True),
        ("test", True),
        ("val", True),
        ("gain", True),
        ("density", False),
        ("size", False),
        ("sparsifier", False),
        ("dataset", False),
        ("name", False),
    )
)
_TITLES = (
    ("ticket", "name", 0, False),
    ("method", "sparsifier", 8, False),
    ("data", "dataset", 9, False),
    ("model", "model", 11, False),
    ("level", "", 4, True),
    ("kept", "density", 2, True),
    ("val", "val", 3, True),
    ("test", "test", 5, True),
    ("gain", "gain", 6, True),
    ("size", "size", 7, True),
    ("weights", "", 10, False),
)


@dataclass(frozen=True)
class Ticket:
    """A pruned level of a run.

    Attributes:
        picked: whether it is the level that its run picked, so far or for good.
        winning: whether that is for good, and better than dense.
    """

    run: RunView
    level: LevelView
    group: Group
    picked: bool
    winning: bool

    @property
    def key(self) -> str:
        """What it is known by."""
        return f"{self.run.run_id}:{self.level.index}"

    @property
    def label(self) -> str:
        """What it is called on screen: its run and its level."""
        return f"{verdict.name(self.group, [self.run])}:{self.level.index}"

    @property
    def kept(self) -> bool:
        """Whether its weights were kept."""
        return bool(self.level.ticket)

    @cached_property
    def as_picked(self) -> RunView:
        """Its run as if that had picked it, so that what is asked of the run is of the ticket."""
        return replace(self.run, winner=self.level.index, level=self.level.index)

    def of(self, field: Field) -> Value | None:
        """What a field is of it."""
        if field not in self._values:
            self._values[field] = field.of(self.as_picked, self.group)
        return self._values[field]

    @cached_property
    def _values(self) -> dict[Field, Value | None]:
        return {}

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """What its row says behind its name, which has its group's colour."""
        run, level = self.run, self.level
        gained = self.of(_GAIN)
        return (
            _text(run.sparsifier),
            _text(run.dataset),
            _text(run.model),
            Cell(f"{level.index}/{max(run.planned_levels - 1, level.index)}"),
            Cell(percent(level.density)),
            _share(level.val),
            _share(level.test),
            NOTHING if gained is None else columns.cell(_GAIN, self.as_picked, self.group),
            NOTHING if level.bytes is None else Cell(size(level.bytes)),
            Cell(*weights(self)),
        )


class Index:
    """The tickets of a board; those of groups that are as they were are not made again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Group, tuple[Ticket, ...]]] = {}

    def tickets(self, board: Board) -> list[Ticket]:
        """All of them, also levels that no run picked."""
        known = self._known
        self._known = {
            group.id: known[group.id]
            if group.id in known and known[group.id][0] is group
            else (group, tuple(_tickets(group)))
            for group in board.groups
        }
        return [ticket for _, tickets in self._known.values() for ticket in tickets]


def ticket(group: Group, run: RunView, level: LevelView) -> Ticket:
    """A level of a run as a ticket, whether there is one to take or not."""
    picked = level.index == run.winner
    return Ticket(run, level, group, picked, picked and level.sparse and verdict.wins(run))


def chosen(
    tickets: Iterable[Ticket], which: Which = "picked", wanted: Filter | None = None
) -> list[Ticket]:
    """Those that are picked, or only winning ones, or all, and that meet a filter."""
    of_kind: dict[str, Callable[[Ticket], bool]] = {
        "picked": lambda ticket: ticket.picked,
        "winning": lambda ticket: ticket.winning,
        "all": lambda ticket: True,
    }
    return [
        ticket
        for ticket in tickets
        if of_kind[which](ticket) and (wanted is None or wanted(ticket.as_picked, ticket.group))
    ]


def ordered(tickets: Iterable[Ticket], order: Sequence[Order]) -> list[Ticket]:
    """Tickets in order; what counts first comes first."""
    found = list(tickets)
    for one in reversed(order):
        found = arranged(found, partial(_value, one.field), one)
    return found


def table_columns(order: Order) -> tuple[Column, ...]:
    """The columns of the table, with an arrow over the one that it is sorted by."""
    arrow = "↓" if order.descending else "↑"
    return tuple(
        Column(f"{title}{arrow if order.field.name == name else ''}", rank, right)
        for title, name, rank, right in _TITLES
    )


def order_at(column: int) -> Order | None:
    """What a column of the table is sorted by when somebody asks for that; None for none."""
    name = _TITLES[column][1]
    return next((one for one in ORDERS if one.field.name == name), None)


def row(ticket: Ticket, colour: str) -> Row:
    """A ticket's row, in its group's colour."""
    sign = verdict.MARK if ticket.winning else verdict.PICKED if ticket.picked else " "
    name = Cell(f"{sign} {verdict.name(ticket.group, [ticket.run])}", colour)
    return Row(ticket.key, (name, *ticket.cells))


def weights(ticket: Ticket) -> tuple[str, str]:
    """Where its weights are, in a word, and the tone of that."""
    if ticket.run.stored:
        return "in MLflow", "dim"
    return ("kept", "") if ticket.level.ticket else ("mask only", "dim")


def _tickets(group: Group) -> Iterable[Ticket]:
    for run in group.runs:
        for level in run.ended_levels:
            if level.sparse and not level.search:
                yield ticket(group, run, level)


def _value(field: Field, ticket: Ticket) -> Value | None:
    return ticket.of(field)


def _share(value: float | None) -> Cell:
    return NOTHING if value is None else Cell(accuracy(value))


def _text(text: str) -> Cell:
    return Cell(clean_line(text, columns.WIDEST)) if text else NOTHING


_GAIN = Field.parse("gain")
