"""Spec files: one file and its overrides become the runs that they ask for, or one clear error."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.errors import UsageError
from engine.spec import RunSpec
from lthtui import overrides, sources, specpaths, sweeps, yamlfile
from lthtui.filefields import MAX_RUNS, SpecFile
from lthtui.readying import Maker, Ready
from lthtui.search import Search
from lthtui.searchcheck import SearchCheck
from lthtui.specerrors import Finding, explain
from lthtui.spectree import Origin, Tree
from lthtui.sweeps import Axis
from lthtui.yamlfile import Document, FileError, Keys, Problem

_Patience = sources.Patience | None
_READ_BEFORE = (("seed",), ("seeds",), ("control",))  # overrides that set no field of a run


@dataclass(frozen=True)
class Expansion:
    """All runs of a spec file, and what its user should know about them.

    Attributes:
        search: the search that it asks for; `runs` are then those without it, or with the first
            value of each searched field where they cannot be without it.
        later: runs whose tickets have yet to be made.
        control: kinds of controls that are to follow each run.
        ends: runs with what each searched range ends with, or each choice; trials may be such.
    """

    source: str
    runs: tuple[Ready, ...]
    notes: tuple[str, ...]
    search: Search | None = None
    ends: tuple[Ready, ...] = ()
    later: tuple[sources.Found, ...] = ()
    control: tuple[str, ...] = ()


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
        self.tree, self.changes = Tree(document).copy(), changes
        self.source, self.tried, self.maker = document.source, tried, Maker(stem, patience)

    def expand(self) -> Expansion:
        seeds, control = self._take_seeds(), self._take_control()
        search = self._take_search()
        check = None
        if search and self.tried is None:
            check = SearchCheck(search, self.written, self.maker, self._combinations)
        grids = self._grids()
        sizes = (math.prod(len(axis.values) for axis in axes) for axes in grids)
        count = len(seeds) * sum(sizes)
        if count > MAX_RUNS:
            raise FileError(
                [Problem(self.source, f"{count:,} runs; at most {MAX_RUNS:,} are made")]
            )
        before = len(self.maker.problems)
        axes = [axis for grid in grids for axis in grid]
        made, base = [run for grid in grids for run in self._combinations(grid, seeds)], axes
        if check and len(self.maker.problems) > before:
            self.maker.forget(before)
            base = [*axes, *check.firsts()]
            self.maker.notes.append("it cannot be without its search; here it has the first values")
            made = list(self._combinations(base, seeds))
        runs, notes = self._distinct(made, axes)
        notes += self.maker.notes
        if check and runs:
            search = check.checked(axes, base, runs[0])
            notes.append(f"a search of up to {search.most} trials; `lthtui search` runs it")
        if control:
            notes.append(f"controls of every run follow: {', '.join(control)}")
            self._check_control(search)
        if self.maker.problems:
            raise FileError(self.maker.problems)
        for run in runs:
            notes += [*run.images.warnings, *run.plan.notes]
        noted, ends = tuple(dict.fromkeys(notes)), tuple(check.ends if check else ())
        later = tuple(self.maker.later)
        return Expansion(self.source, tuple(runs), noted, search, ends, later, control)

    def _combinations(self, axes: Sequence[Axis], seeds: Sequence[int] = (0,)) -> Iterator[Ready]:
        for values in itertools.product(*(axis.values for axis in axes)):
            tree = self.tree.copy()
            for axis, (value, origin) in zip(axes, values, strict=True):
                tree.set(axis.path, value, origin)
            yield from self.maker.runs(tree, seeds)

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
            self.maker.blame(self.tree, Finding(("seed",), "give seed or seeds, not both", "key"))
        name = "seed" if "seed" in self.tree.data else "seeds"
        seeds = self.tree.data.get(name, 0)
        self.tree.data.pop("seed", None), self.tree.data.pop("seeds", None)
        return self._part({"seeds": seeds}, {"seeds": name}).seeds

    def _take_control(self) -> tuple[str, ...]:
        """Read which controls are to follow each run."""
        for change in self.changes:
            if change.path == ("control",):
                values = [document.data for document in change.values]
                value = values if change.sweeps else values[0]
                self.tree.set(change.path, value, Origin(change.values[0]))
        return self._part({"control": self.tree.data.pop("control", ())}, {}).control

    def _check_control(self, search: Search | None) -> None:
        """Refuse controls of what has no ticket yet when they are asked for."""
        if search or self.maker.later:
            what = "trials of a search" if search else "runs whose own tickets have yet to be made"
            why = f"control: not of {what}; leave it out, and use `lthtui control` afterwards"
            self.maker.problems.append(Problem(self.source, why))

    def _take_search(self) -> Search | None:
        for change in self.changes:
            if change.path[0] == "search":
                self.tree.set(change.path, change.values[0].data, Origin(change.values[0]))
        self.written = self.tree.copy()
        return self._part({"search": self.tree.data.pop("search", None)}, {}).search

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
            self.maker.blame(self.tree, *problems)
        return found

    def _changes(self) -> dict[Keys, overrides.Override]:
        """The overrides by field, the last one of each; some have been read before."""
        found: dict[Keys, overrides.Override] = {}
        for change in self.changes:
            if change.path[0] == "vary":
                why = "to sweep, list values after a field: sparsifier.rate=0.1,0.2"
                self.maker.problems.append(Problem(change.values[0].source, why))
            elif change.path not in _READ_BEFORE and change.path[0] != "search":
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
                self.maker.blame(self.tree, Finding(path, finding.message, finding.at))
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
                self.maker.problems.append(blamed.values[0][1].problem(f"{why}; don't vary that"))
                break
        dropped = len(runs) - len(seen)
        note = [f"{dropped} of {len(runs)} runs repeat others and are left out"] if dropped else []
        return list(seen.values()), note
