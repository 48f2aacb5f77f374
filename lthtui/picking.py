"""Choosing the columns of a table: which, in what order, and which stay at the left."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lthtui.columns import DEFAULT, Heading
from lthtui.fields import Field


@dataclass(frozen=True)
class Picking:
    """Columns as they have been chosen so far; each change gives others.

    The column of names stays, as rows are known by it.
    """

    headings: tuple[Heading, ...] = DEFAULT

    def place(self, field: Field) -> int | None:
        """Where a field's column is, from 0; None if it has none."""
        return next((at for at, one in enumerate(self.headings) if one.field == field), None)

    def toggled(self, field: Field) -> Picking:
        """With a column at the right for a field that has none, or without the one that it has."""
        if field.name == "name":
            return self
        if self.place(field) is None:
            return Picking((*self.headings, Heading(field)))
        return Picking(tuple(one for one in self.headings if one.field != field))

    def moved(self, field: Field, by: int) -> Picking:
        """With the column of a field further right, or left where `by` is negative."""
        at = self.place(field)
        if at is None:
            return self
        rest = [*self.headings[:at], *self.headings[at + 1 :]]
        rest.insert(max(at + by, 0), self.headings[at])
        return Picking(tuple(rest))

    def pinned(self, field: Field) -> Picking:
        """With the column of a field pinned behind the others that are, or pinned no more."""
        at = self.place(field)
        if at is None or field.name == "name":
            return self
        one = replace(self.headings[at], pinned=not self.headings[at].pinned)
        rest = [*self.headings[:at], *self.headings[at + 1 :]]
        stays = (place for place, one in enumerate(rest) if not (one.pinned or _named(one)))
        to = next(stays, len(rest)) if one.pinned else at
        return Picking((*rest[:to], one, *rest[to:]))


def _named(heading: Heading) -> bool:
    return heading.field.name == "name"
