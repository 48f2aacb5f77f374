"""Spec files: one file and its overrides become the runs that they ask for, or one clear error."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from engine import registry
from engine.description import Description
from engine.errors import DataError, SpecError, UsageError, did_you_mean
from engine.plan import Plan, plan
from engine.plugin import Frozen
from engine.spec import RunSpec
from lthtui import overrides, yamlfile
from lthtui.specerrors import Finding, explain
from lthtui.spectree import Origin, Tree
from lthtui.text import clean_line
from lthtui.yamlfile import Document, FileError, Keys, Problem

MAX_RUNS = 10_000
FOLDER = Path("specs")


def _seeds(value: Any) -> Any:
    """Read `3`, `[0, 1, 2]` or `0..4`, which includes both ends."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if isinstance(value, str):
        match = re.fullmatch(r"(\d{1,10})\.\.(\d{1,10})", value)
        if match is None or not 0 <= int(match[2]) - int(match[1]) < MAX_RUNS:
            why = f"expected seeds such as 3, [0, 1, 2] or 0..4, found '{clean_line(value, 60)}'"
            raise PydanticCustomError("seeds", "{why}", {"why": why})
        return tuple(range(int(match[1]), int(match[2]) + 1))
    return value


def _distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if not seeds:
        raise PydanticCustomError("seeds", "give at least one seed")
    twice = next((seed for seed in seeds if seeds.count(seed) > 1), None)
    if twice is not None:
        raise PydanticCustomError("seeds", "{why}", {"why": f"seed {twice} is listed twice"})
    return seeds


_Seed = Annotated[int, Field(ge=0, lt=2**32)]
_Seeds = Annotated[
    tuple[_Seed, ...],
    Field(max_length=MAX_RUNS),
    BeforeValidator(_seeds),
    AfterValidator(_distinct),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
                {"type": "string", "pattern": r"^\d+\.\.\d+$"},
            ]
        }
    ),
]
_Dotted = Annotated[str, Field(pattern=r"^[A-Za-z_][\w-]*(\.[\w-]+)*$")]
_Values = Annotated[list[Any], Field(min_length=1, max_length=1000)]


class SpecFile(Frozen):
    """What a spec file may say besides the fields of a run: which runs to make of it."""

    seeds: _Seeds = Field((0,), description="one run per seed: a number, a list, or 0..4")
    vary: dict[_Dotted, _Values] = Field(
        {},
        description="runs with every combination of these values, by dotted field:"
        " {sparsifier.rate: [0.1, 0.2]}; whole blocks may vary too",
    )


@dataclass(frozen=True)
class Ready:
    """A run that may start: what it does, on which images, in which levels."""

    spec: RunSpec
    images: Description
    plan: Plan


@dataclass(frozen=True)
class Expansion:
    """All runs of a spec file, and what its user should know about them."""

    source: str
    runs: tuple[Ready, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Axis:
    path: Keys
    values: tuple[tuple[Any, Origin], ...]


def load(path: str | Path, changes: Sequence[str] = ()) -> list[RunSpec]:
    """Read a spec file, or a run's folder, into its runs; each can start as it is.

    `changes` are overrides such as `train.epochs=9` and `sparsifier.rate=0.1,0.2`.

    Raises:
        FileError: something is wrong in the file or an override; all problems, with their places.
        UsageError: there is no such file.
    """
    return [run.spec for run in expand(path, changes).runs]


def expand(path: str | Path, changes: Sequence[str] = ()) -> Expansion:
    """As `load`, with the plan and the description of the images of each run."""
    found = find(str(path))
    document = yamlfile.read(found)
    if not isinstance(document.data, dict):
        what = "the file is empty" if document.data is None else "expected fields such as data:"
        message = f"{what}; `lthtui new NAME` writes a spec"
        raise FileError([document.problem(message, document.values[()])])
    return _Expander(document, _stem(found), _read(changes)).expand()


def write(spec: RunSpec) -> str:
    """A run's spec as YAML, every setting resolved; reading it gives the same run."""
    return yamlfile.dump(spec.model_dump(mode="json"))


def find(name: str) -> Path:
    """Find a spec by its path, its run folder, or its bare name in `specs/`.

    Raises:
        UsageError: there is none; the message names the nearest.
    """
    path = Path(name)
    if path.is_dir() and (path / "spec.yaml").is_file():
        return path / "spec.yaml"
    bare = [FOLDER / f"{name}{suffix}" for suffix in (".yaml", ".yml")] if name else []
    for candidate in [path, *bare]:
        if candidate.is_file():
            return candidate
    known = {one.stem: str(one) for one in sorted(FOLDER.glob("*.y*ml"))}
    hint = did_you_mean(path.stem, list(known))
    for stem in known:
        hint = hint.replace(f"did you mean {stem}?", f"did you mean {known[stem]}?")
    raise UsageError(f"{clean_line(name)}: no such spec{clean_line(hint)}")


def _stem(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._")[:64]


def _read(changes: Sequence[str]) -> list[overrides.Override]:
    read: list[overrides.Override] = []
    problems: list[Problem] = []
    for text in changes:
        try:
            read.append(overrides.read(text))
        except FileError as error:
            problems += error.problems
    if problems:
        raise FileError(problems)
    return read


class _Expander:
    """Makes the runs of one document, collecting every problem on the way."""

    def __init__(
        self, document: Document, stem: str, changes: Sequence[overrides.Override]
    ) -> None:
        self.tree, self.stem, self.changes = Tree(document), stem, changes
        self.source = document.source
        self.problems: list[Problem] = []
        self.images: dict[str, Description | None] = {}

    def expand(self) -> Expansion:
        seeds = self._take_seeds()
        axes = self._axes()
        count = len(seeds)
        for axis in axes:
            count *= len(axis.values)
        if count > MAX_RUNS:
            raise FileError(
                [Problem(self.source, f"{count:,} runs; at most {MAX_RUNS:,} are made")]
            )
        ready = [
            Ready(one.spec.model_copy(update={"seed": seed}), one.images, one.plan)
            for one in self._combinations(axes)
            for seed in seeds
        ]
        runs, notes = self._distinct(ready, axes)
        if self.problems:
            raise FileError(self.problems)
        for run in runs:
            notes += [*run.images.warnings, *([run.plan.note] if run.plan.note else [])]
        return Expansion(self.source, tuple(runs), tuple(dict.fromkeys(notes)))

    def _combinations(self, axes: Sequence[_Axis]) -> Iterator[Ready]:
        for values in itertools.product(*(axis.values for axis in axes)):
            tree = self.tree.copy()
            for axis, (value, origin) in zip(axes, values, strict=True):
                tree.set(axis.path, value, origin)
            ready = self._ready(tree)
            if ready is not None:
                yield ready

    def _ready(self, tree: Tree) -> Ready | None:
        data = {"name": self.stem or None, **tree.data}
        if data.get("experiment") is None:
            data["experiment"] = self.stem or None
        try:
            spec = RunSpec.model_validate(data)
        except ValidationError as error:
            self._blame(tree, *explain(error, tree.data, list(SpecFile.model_fields)))
            return None
        images = self._describe(spec, tree)
        if images is None:
            return None
        try:
            return Ready(spec, images, plan(spec, images.train))
        except SpecError as error:
            self._blame(tree, Finding(_dotted(error.at), str(error)))
            return None

    def _describe(self, spec: RunSpec, tree: Tree) -> Description | None:
        key = spec.data.model_dump_json()
        if key not in self.images:
            try:
                module = registry.load("datasets", spec.data.name)
                self.images[key] = module.describe(spec.data)
            except (DataError, SpecError) as error:
                self.images[key] = None
                self._blame(tree, Finding(("data",), str(error), "key"))
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

    def _axes(self) -> list[_Axis]:
        """What varies and what is set, in the order in which it is set."""
        raw = self.tree.data.pop("vary", {})
        varied = self._part({"vary": raw}, {}).vary
        changes = self._changes()
        axes = []
        for key, values in varied.items():
            path = _dotted(key)
            if path[0] in _FIXED:
                self._blame(self.tree, Finding(("vary", key), _FIXED[str(path[0])], "key"))
            elif not any(path[: len(changed)] == changed for changed in changes):
                origin = (self.tree.origin(("vary", key, index)) for index in range(len(values)))
                axes.append(_Axis(path, tuple(zip(values, origin, strict=True))))
        axes.sort(key=lambda axis: len(axis.path))
        for change in changes.values():
            pairs = tuple((document.data, Origin(document)) for document in change.values)
            axes.append(_Axis(change.path, pairs))
        return axes

    def _changes(self) -> dict[Keys, overrides.Override]:
        """The overrides by field, the last one of each; seeds have been taken already."""
        found: dict[Keys, overrides.Override] = {}
        for change in self.changes:
            if change.path[0] == "vary":
                why = "to sweep, list values after a field: sparsifier.rate=0.1,0.2"
                self.problems.append(Problem(change.values[0].source, why))
            elif change.path not in (("seed",), ("seeds",)):
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
        self, runs: Sequence[Ready], axes: Sequence[_Axis]
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


_FIXED = {
    "seed": "seeds vary by `seeds: [0, 1, 2]`",
    "seeds": "seeds vary by `seeds: [0, 1, 2]`",
    "vary": "vary holds fields such as sparsifier.rate",
    "version": "the version of the format cannot vary",
}


def _dotted(key: str) -> Keys:
    return tuple(key.split(".")) if key else ()
