"""Spec files: one file and its overrides become the runs that they ask for, or one clear error."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine import registry
from engine.description import Description
from engine.errors import DataError, SpecError, UsageError
from engine.plan import Plan, plan
from engine.spec import RunSpec
from lthtui import (
    listed,
    overrides,
    settings,
    sources,
    specpaths,
    starting,
    sweeps,
    yamlfile,
)
from lthtui.filefields import MAX_RUNS, SpecFile
from lthtui.search import Search, Span
from lthtui.specerrors import Finding, explain
from lthtui.specfields import takes_fractions
from lthtui.spectree import Origin, Tree
from lthtui.sweeps import Axis
from lthtui.yamlfile import Document, FileError, Keys, Problem

_Patience = sources.Patience | None


@dataclass(frozen=True)
class Ready:
    """A run that may start: what it does, on which images, in which levels.

    Attributes:
        tree: where its settings were written.
    """

    spec: RunSpec
    images: Description
    plan: Plan
    tree: Tree = dataclasses.field(repr=False, compare=False)

    def problem(self, error: SpecError) -> Problem:
        """What is wrong with the run, placed where its cause was written."""
        return self.tree.problem(Finding(sweeps.dotted(error.at), str(error), together=True))


@dataclass(frozen=True)
class Expansion:
    """All runs of a spec file, and what its user should know about them.

    Attributes:
        search: the search that it asks for; `runs` are then those without it, or with the first
            value of each searched field where they cannot be without it.
        later: runs whose tickets have yet to be made.
        ends: runs with what each searched range ends with, or each choice; trials may be such.
    """

    source: str
    runs: tuple[Ready, ...]
    notes: tuple[str, ...]
    search: Search | None = None
    ends: tuple[Ready, ...] = ()
    later: tuple[sources.Found, ...] = ()


def load(path: str | Path, changes: Sequence[str] = ()) -> list[RunSpec]:
    """Read a spec file, or a run's folder, into its runs; each can start as it is.

    `changes` are overrides such as `train.epochs=9` and `sparsifier.rate=0.1,0.2`.

    Raises:
        FileError: something is wrong in the file or an override; all problems, with their places.
        UsageError: there is no such file, or it asks for a search.
    """
    return [run.spec for run in without_search(expand(path, changes)).runs]


def expand(path: str | Path, changes: Sequence[str] = (), patience: _Patience = None) -> Expansion:
    """As `load`, with each run's plan and images, and also of a file that asks for a search."""
    return expand_document(*specpaths.read(path), changes, patience)


def expand_document(
    document: Document, stem: str, changes: Sequence[str] = (), patience: _Patience = None
) -> Expansion:
    """As `expand`, from a document that is a mapping; `stem` stands for a file's name."""
    return _Expander(document, stem, overrides.read_all(changes), None, patience).expand()


def trials(
    path: str | Path, changes: Sequence[str] = ()
) -> tuple[Expansion, Callable[[Mapping[str, Any]], tuple[Ready, ...]]]:
    """A file that asks for a search, and what makes the runs of a trial from its settings.

    The file is read once, whatever becomes of it while the search goes on.

    Raises:
        FileError: as `load`; making a trial may raise it, too.
        UsageError: there is no such file, or it asks for no search.
    """
    opened, read = specpaths.read(path), overrides.read_all(changes)
    expansion = _Expander(*opened, read).expand()
    if expansion.search is None:
        raise UsageError(
            f"{expansion.source} has no search; write one into it, such as"
            " search: {over: {sparsifier.rate: [0.1, 0.4]}}"
        )
    return expansion, lambda values: _Expander(*opened, read, values).expand().runs


def without_search(expansion: Expansion) -> Expansion:
    """The expansion itself.

    Raises:
        UsageError: it asks for a search.
    """
    if expansion.search is not None:
        source = expansion.source
        raise UsageError(
            f"{source} asks for a search: `lthtui search {source}` runs it; with search=null its"
            " runs are as without it"
        )
    return expansion


def write(spec: RunSpec) -> str:
    """A run's spec as YAML, every setting resolved; reading it gives the same run."""
    return yamlfile.dump(spec.model_dump(mode="json"))


class _Expander:
    """Makes the runs of one document, collecting every problem on the way.

    Args:
        tried: the settings of a trial, by dotted field.
        patience: whether runs may refer to tickets that have yet to be made.
    """

    def __init__(
        self,
        document: Document,
        stem: str,
        changes: Sequence[overrides.Override],
        tried: Mapping[str, Any] | None = None,
        patience: _Patience = None,
    ) -> None:
        self.tree, self.stem, self.changes = Tree(document).copy(), stem, changes
        self.source, self.tried, self.patience = document.source, tried, patience
        self.problems, self.ends = list[Problem](), list[Ready]()
        self.notes, self.later = list[str](), list[sources.Found]()
        self.images: dict[str, Description | None] = {}

    def expand(self) -> Expansion:
        seeds = self._take_seeds()
        search = self._take_search()
        grids = self._grids()
        sizes = (math.prod(len(axis.values) for axis in axes) for axes in grids)
        count = len(seeds) * sum(sizes)
        if count > MAX_RUNS:
            raise FileError(
                [Problem(self.source, f"{count:,} runs; at most {MAX_RUNS:,} are made")]
            )
        before = len(self.problems)
        axes = [axis for grid in grids for axis in grid]
        made, base = [run for grid in grids for run in self._combinations(grid, seeds)], axes
        if search and self.tried is None and len(self.problems) > before:
            del self.problems[before:]
            self.images.clear()
            base = [*axes, *self._firsts(search)]
            self.notes.append("it cannot be without its search; here it has the first values")
            made = list(self._combinations(base, seeds))
        runs, notes = self._distinct(made, axes)
        notes += self.notes
        if search and self.tried is None and runs:
            search = self._checked(search, axes, base, runs[0])
            notes.append(f"a search of up to {search.most} trials; `lthtui search` runs it")
        if self.problems:
            raise FileError(self.problems)
        for run in runs:
            notes += [*run.images.warnings, *run.plan.notes]
        noted, ends, later = tuple(dict.fromkeys(notes)), tuple(self.ends), tuple(self.later)
        return Expansion(self.source, tuple(runs), noted, search, ends, later)

    def _combinations(self, axes: Sequence[Axis], seeds: Sequence[int] = (0,)) -> Iterator[Ready]:
        for values in itertools.product(*(axis.values for axis in axes)):
            tree = self.tree.copy()
            for axis, (value, origin) in zip(axes, values, strict=True):
                tree.set(axis.path, value, origin)
            yield from self._ready(tree, seeds)

    def _ready(self, tree: Tree, seeds: Sequence[int]) -> Iterator[Ready]:
        """The runs of a tree, one per seed."""
        data = {"name": self.stem or None, **tree.data}
        if data.get("experiment") is None:
            data["experiment"] = self.stem or None
        try:
            spec = RunSpec.model_validate(data)
        except ValidationError as error:
            self._blame(tree, *explain(error, tree.data, list(SpecFile.model_fields)))
            return
        try:
            spec = listed.resolve(spec, settings.root())
        except (DataError, UsageError) as error:
            self._blame(tree, Finding(("data", "examples"), str(error)))
            return
        try:
            spec = starting.resolve(spec)
        except UsageError as error:
            self._blame(tree, Finding(("start", "file"), str(error)))
            return
        images = self._describe(spec, tree)
        if images is None:
            return
        try:
            spec.model.check_size(images.size)
            if sources.referred(spec):
                yield from self._with_tickets(spec, images, seeds, tree)
            else:
                planned = plan(spec, images.train)
                for seed in seeds:
                    yield Ready(spec.model_copy(update={"seed": seed}), images, planned, tree)
        except SpecError as error:
            self._blame(tree, Finding(sweeps.dotted(error.at), str(error), together=True))

    def _with_tickets(
        self, spec: RunSpec, images: Description, seeds: Sequence[int], tree: Tree
    ) -> Iterator[Ready]:
        """Runs that refer to tickets, which may be others for each seed."""
        for seed in seeds:
            seeded = spec.model_copy(update={"seed": seed})
            found = sources.resolve(seeded, settings.root(), self.patience)
            self.notes += found.notes
            if found.after:
                self.later.append(found)
            else:
                yield Ready(found.spec, images, plan(found.spec, images.train), tree)

    def _describe(self, spec: RunSpec, tree: Tree) -> Description | None:
        key = spec.data.model_dump_json()
        if key not in self.images:
            try:
                module = registry.load("datasets", spec.data.name)
                self.images[key] = module.describe(spec.data)
            except (DataError, SpecError) as error:
                self.images[key] = None
                self._blame(tree, Finding(("data",), str(error), "key", together=True))
        return self.images[key]

    def _take_seeds(self) -> tuple[int, ...]:
        """Read the seeds; a run's own spec has `seed`, which one may also write."""
        for change in self.changes:
            if change.path in (("seed",), ("seeds",)):
                for name in ("seed", "seeds"):
                    self.tree.data.pop(name, None)
                values = [document.data for document in change.values]
                value = values if change.sweeps else values[0]
                self.tree.set(change.path, value, Origin(change.values[0]))
        if "seed" in self.tree.data and "seeds" in self.tree.data:
            self._blame(self.tree, Finding(("seed",), "give seed or seeds, not both", "key"))
        name = "seed" if "seed" in self.tree.data else "seeds"
        seeds = self.tree.data.get(name, 0)
        self.tree.data.pop("seed", None), self.tree.data.pop("seeds", None)
        return self._part({"seeds": seeds}, {"seeds": name}).seeds

    def _take_search(self) -> Search | None:
        for change in self.changes:
            if change.path[0] == "search":
                self.tree.set(change.path, change.values[0].data, Origin(change.values[0]))
        self.written = self.tree.copy()
        return self._part({"search": self.tree.data.pop("search", None)}, {}).search

    def _firsts(self, search: Search) -> Iterator[Axis]:
        """Each searched field at its first value, for a base that cannot be without the search."""
        for field, span in search.over.items():
            if (path := sweeps.dotted(field))[0] not in sweeps.FIXED:
                yield Axis(path, (self._extremes(field, span)[0],))

    def _extremes(self, field: str, span: Span) -> list[tuple[Any, Origin]]:
        """What a range ends with, or each choice, and where it is written."""
        as_list = isinstance(self.written.data["search"]["over"][field], list)
        return [
            (value, self.written.origin(("search", "over", field, *key)))
            for key, value in span.extremes(as_list)
        ]

    def _checked(
        self, search: Search, axes: Sequence[Axis], base: Sequence[Axis], first: Ready
    ) -> Search:
        """The search with its ranges as the fields take them, tried from the base."""
        if any(len(axis.values) > 1 for axis in axes) or not sweeps.once(axes):
            self._blame(self.written, Finding(("search",), "a search and a sweep exclude each"
                                              " other; leave one of them out", "key"))  # fmt: skip
        if first.spec.select.split != "val":
            why = "a search is decided on validation images; select.split must be val"
            self._blame(self.written, Finding(("search",), why, "key"))
        if why := search.beside_goal(first.spec.sparsifier):
            self._blame(self.written, Finding(("search", "goal"), why, "key"))
        over = {}
        for field, span in search.over.items():
            fractions = not span.choices and takes_fractions(self.tree.data, sweeps.dotted(field))
            over[field] = span.in_fractions() if fractions else span
            self._check_field(field, over[field], axes, base)
        return search.model_copy(update={"over": over})

    def _check_field(
        self, field: str, span: Span, axes: Sequence[Axis], base: Sequence[Axis]
    ) -> None:
        """Try what a range ends with, or each choice, from the base."""
        at, path = ("search", "over", field), sweeps.dotted(field)
        if path[0] in sweeps.FIXED:
            self._blame(self.written, Finding(at, sweeps.FIXED[str(path[0])], "key"))
            return
        if any(axis.path[: len(path)] == path for axis in axes):
            self._blame(self.written, Finding(at, "this field is set, too; leave one out", "key"))
        before, known = len(self.problems), set()
        for pair in self._extremes(field, span):
            made = list(self._combinations([*base, Axis(path, (pair,))]))
            known |= {run.spec.digest for run in made}
            self.ends += made
        if len(known) == 1 and len(self.problems) == before:
            why = "this field does not tell runs apart, so that all trials would be the same run"
            self._blame(self.written, Finding(at, why, "key"))

    def _grids(self) -> list[list[Axis]]:
        """What varies and what is set, in the order in which it is set; a list for each grid."""
        raw = self.tree.data.pop("vary", {})
        read = self._part({"vary": raw}, {})
        changes = self._changes()
        given: list[Axis] = []
        for change in changes.values():
            pairs = tuple((document.data, Origin(document)) for document in change.values)
            given.append(Axis(change.path, pairs))
        for field, value in (self.tried or {}).items():
            origin = self.written.origin(("search", "over", field))
            given.append(Axis(sweeps.dotted(field), ((value, origin),)))
        places: list[Keys] = [("vary",)]
        if not isinstance(read.vary, dict):
            places = [("vary", index) for index in range(len(read.vary))]
        grids = zip(places, read.grids, strict=True)
        found: list[list[Axis]] = []
        for place, grid in grids:
            axes, problems = sweeps.axes(place, grid, self.tree, changes)
            found.append([*axes, *given])
            self._blame(self.tree, *problems)
        return found

    def _changes(self) -> dict[Keys, overrides.Override]:
        """The overrides by field, the last one of each; seeds have been taken already."""
        found: dict[Keys, overrides.Override] = {}
        for change in self.changes:
            if change.path[0] == "vary":
                why = "to sweep, list values after a field: sparsifier.rate=0.1,0.2"
                self.problems.append(Problem(change.values[0].source, why))
            elif change.path not in (("seed",), ("seeds",)) and change.path[0] != "search":
                found.pop(change.path, None)
                found[change.path] = change
        return found

    def _part(self, data: dict[str, Any], renamed: dict[str, str]) -> SpecFile:
        """Read a part of what a file has besides a run's fields; its default if that is wrong."""
        try:
            return SpecFile.model_validate(data)
        except ValidationError as error:
            for finding in explain(error, data, ()):
                first = str(finding.path[0])
                path = (renamed.get(first, first), *finding.path[1:])
                self._blame(self.tree, Finding(path, finding.message, finding.at))
            return SpecFile()

    def _distinct(
        self, runs: Sequence[Ready], axes: Sequence[Axis]
    ) -> tuple[list[Ready], list[str]]:
        """Drop repeated runs; refuse runs that differ in nothing that tells runs apart."""
        seen: dict[tuple[str, int], Ready] = {}
        for run in runs:
            first = seen.setdefault((run.spec.digest, run.spec.seed), run)
            if first.spec != run.spec:
                one, two = first.spec.model_dump(), run.spec.model_dump()
                differ = [key for key in one if one[key] != two[key]]
                why = f"runs that differ only in {', '.join(differ)} count as the same run"
                blamed = next(axis for axis in axes if axis.path[0] in differ)
                self.problems.append(blamed.values[0][1].problem(f"{why}; don't vary that"))
                break
        dropped = len(runs) - len(seen)
        note = [f"{dropped} of {len(runs)} runs repeat others and are left out"] if dropped else []
        return list(seen.values()), note

    def _blame(self, tree: Tree, *findings: Finding) -> None:
        self.problems += (tree.problem(finding) for finding in findings)
