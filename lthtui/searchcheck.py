"""Checks a search against the runs that it would make: what each range ends with, each choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lthtui import sweeps
from lthtui.readying import Maker, Ready
from lthtui.search import Search, Span
from lthtui.specerrors import Finding
from lthtui.specfields import takes_fractions
from lthtui.spectree import Origin, Tree
from lthtui.sweeps import Axis


class SearchCheck:
    """A search that a file asks for.

    Args:
        written: the file's settings and its search.
        maker: collects the problems.
        combine: makes the runs in which some fields have other values than written.

    Attributes:
        ends: runs with what each searched range ends with, or each choice; trials may be such.
    """

    def __init__(
        self,
        search: Search,
        written: Tree,
        maker: Maker,
        combine: Callable[[Sequence[Axis]], Iterator[Ready]],
    ) -> None:
        self._search, self._written, self._maker, self._combine = search, written, maker, combine
        self.ends = list[Ready]()

    def firsts(self) -> Iterator[Axis]:
        """Each searched field at its first value, for a base that cannot be without the search."""
        for field, span in self._search.over.items():
            if (path := sweeps.dotted(field))[0] not in sweeps.FIXED:
                yield Axis(path, (self._extremes(field, span)[0],))

    def checked(self, axes: Sequence[Axis], base: Sequence[Axis], first: Ready) -> Search:
        """The search with its ranges as the fields take them, tried from the base.

        Args:
            axes: what the file and its overrides set beside the search.
            base: the same, or with `firsts`.
            first: a run of the base.
        """
        if any(len(axis.values) > 1 for axis in axes) or not sweeps.once(axes):
            self._blame((), "a search and a sweep exclude each other; leave one of them out")
        if first.spec.select.split != "val":
            self._blame((), "a search is decided on validation images; select.split must be val")
        if why := self._search.beside_goal(first.spec.sparsifier):
            self._blame(("goal",), why)
        over = {}
        for field, span in self._search.over.items():
            path = sweeps.dotted(field)
            fractions = not span.choices and takes_fractions(self._written.data, path)
            over[field] = span.in_fractions() if fractions else span
            self._check_field(field, over[field], axes, base)
        return self._search.model_copy(update={"over": over})

    def _check_field(
        self, field: str, span: Span, axes: Sequence[Axis], base: Sequence[Axis]
    ) -> None:
        """Try what a range ends with, or each choice, from the base."""
        at, path = ("over", field), sweeps.dotted(field)
        if path[0] in sweeps.FIXED:
            self._blame(at, sweeps.FIXED[str(path[0])])
            return
        if any(axis.path[: len(path)] == path for axis in axes):
            self._blame(at, "this field is set, too; leave one out")
        before, known = len(self._maker.problems), set()
        for pair in self._extremes(field, span):
            made = list(self._combine([*base, Axis(path, (pair,))]))
            known |= {run.spec.digest for run in made}
            self.ends += made
        if len(known) == 1 and len(self._maker.problems) == before:
            self._blame(
                at, "this field does not tell runs apart, so that all trials would be the same run"
            )

    def _extremes(self, field: str, span: Span) -> list[tuple[Any, Origin]]:
        """What a range ends with, or each choice, and where it is written."""
        as_list = isinstance(self._written.data["search"]["over"][field], list)
        return [
            (value, self._written.origin(("search", "over", field, *key)))
            for key, value in span.extremes(as_list)
        ]

    def _blame(self, at: tuple[str, ...], why: str) -> None:
        self._maker.blame(self._written, Finding(("search", *at), why, "key"))
