"""A view of the table of runs: which columns, in what order, of which runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lthtui import columns, fields, state
from lthtui.columns import DEFAULT, Heading
from lthtui.fields import Field, Misread
from lthtui.filtering import Filter
from lthtui.text import clean_line

SECTION = "views"  # of what is remembered
WIDTHS = range(3, 201)  # cells that a column may be set to


class Order(NamedTuple):
    """A field to sort by."""

    field: Field
    descending: bool = False

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{self.field.name}"


@dataclass(frozen=True)
class View:
    """What is shown of a board, and how.

    Attributes:
        order: what counts first comes first. Without any, the newest groups come first, each
            followed by its controls; sorted groups stand for themselves, also controls.
        filter: as `Filter.parse` reads it.
        hide_constant: leave out columns that are the same in all runs that are shown.
        archived: show archived runs too; a filter that asks for them does so by itself.
        folded: keys of groups whose runs are not shown.
        unfolded: keys of groups that somebody unfolded; the table of runs shows others folded when
            nothing happens in them.
    """

    headings: tuple[Heading, ...] = DEFAULT
    order: tuple[Order, ...] = ()
    filter: str = ""
    hide_constant: bool = False
    archived: bool = False
    folded: frozenset[str] = frozenset()
    unfolded: frozenset[str] = frozenset()

    @property
    def fields(self) -> tuple[Field, ...]:
        """All fields that it asks for, each once.

        Raises:
            Misread: the filter cannot be read.
        """
        shown = [heading.field for heading in self.headings]
        sorted_by = [order.field for order in self.order]
        return tuple(dict.fromkeys([*shown, *sorted_by, *Filter.parse(self.filter).fields]))

    @property
    def extremes(self) -> frozenset[str]:
        """The metrics of which more than the newest value is asked for."""
        return frozenset(one.key for one in self.fields if one.reducer != "last")

    def dump(self) -> dict[str, Any]:
        """As JSON, for `load`."""
        return {
            "columns": [_dumped(heading) for heading in self.headings],
            "sort": [str(order) for order in self.order],
            "filter": self.filter,
            "hide_constant": self.hide_constant,
            "archived": self.archived,
            "folded": {
                **dict.fromkeys(sorted(self.folded), True),
                **dict.fromkeys(sorted(self.unfolded), False),
            },
        }

    @classmethod
    def load(cls, dumped: object) -> View:
        """A view from JSON; what of it is damaged, or of a newer version, is as by default."""
        found = dumped if isinstance(dumped, Mapping) else {}
        return cls(
            headings=tuple(_headings(found.get("columns"))) or DEFAULT,
            order=tuple(_orders(found.get("sort"))),
            filter=_readable(found.get("filter")),
            hide_constant=found.get("hide_constant") is True,
            archived=found.get("archived") is True,
            folded=frozenset(_keys(found.get("folded"), True)),
            unfolded=frozenset(_keys(found.get("folded"), False)),
        )


def recall(key: str) -> View:
    """A view as it was left; `Memory` has the keys."""
    return View.load(state.get(SECTION, key))


def remember(key: str, view: View, before: View | None = None) -> None:
    """Keep a view for later sessions.

    Args:
        before: the view that it was changed from; the rest stays as another window left it.

    Raises:
        OSError: the file of what is remembered cannot be written.
    """
    state.put(SECTION, key, _own(view) or None, None if before is None else _own(before))


def orders(text: str, known: Collection[str] | None = None) -> tuple[Order, ...]:
    """What to sort by, from names between commas, each after a `-` to have the largest first.

    Raises:
        Misread: one of them names no field.
    """
    found = []
    for column, name in fields.split(text):
        down = name.startswith("-")
        found.append(Order(fields.at(column + down, name[down:].lstrip(), known), down))
    return tuple(found)


def clicked(order: Sequence[Order], field: Field, more: bool) -> tuple[Order, ...]:
    """The order after a click on a column: by it, with the largest first, by it no more.

    Args:
        more: whether the other keys stay.
    """
    before = next((one for one in order if one.field == field), None)
    after = None if before and before.descending else Order(field, before is not None)
    if not more:
        return (after,) if after else ()
    kept = [after if one == before else one for one in order]
    return tuple(one for one in [*kept, *([] if before else [after])] if one)


def _own(view: View) -> dict[str, Any]:
    """What of a view is not as by default, as JSON."""
    default = View().dump()
    return {key: value for key, value in view.dump().items() if value != default[key]}


def _dumped(heading: Heading) -> dict[str, Any]:
    told = {
        "title": heading.title,
        "width": heading.width,
        "pinned": heading.pinned,
        "together": heading.together,
    }
    return {"field": heading.field.name, **{key: value for key, value in told.items() if value}}


def _headings(dumped: object) -> Iterator[Heading]:
    for one in dumped if isinstance(dumped, list) else ():
        if not isinstance(one, Mapping):
            continue
        width, together, title = one.get("width"), one.get("together"), one.get("title")
        try:
            yield Heading(
                Field.parse(str(one.get("field", ""))),
                title=clean_line(title, columns.WIDEST) if isinstance(title, str) else "",
                width=width if isinstance(width, int) and width in WIDTHS else 0,
                pinned=one.get("pinned") is True,
                together=columns.together(str(together)) if together else None,
            )
        except Misread:
            continue


def _orders(dumped: object) -> Iterator[Order]:
    for one in _texts(dumped):
        try:
            yield from orders(one)
        except Misread:
            continue


def _readable(dumped: object) -> str:
    """A filter that can be read, or none."""
    try:
        return str(Filter.parse(dumped)) and dumped if isinstance(dumped, str) else ""
    except Misread:
        return ""


def _keys(dumped: object, wanted: bool) -> Iterator[str]:
    known = dumped if isinstance(dumped, Mapping) else {}
    yield from (key for key, value in known.items() if value is wanted)


def _texts(dumped: object) -> Iterator[str]:
    yield from (one for one in dumped if isinstance(one, str)) if isinstance(dumped, list) else ()
