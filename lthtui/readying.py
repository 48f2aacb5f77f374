"""Makes runs of settings: on which images, in which levels, or what is in their way."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from engine import registry
from engine.description import Description
from engine.errors import DataError, NoSet, SpecError, UsageError
from engine.plan import Plan, plan
from engine.spec import RunSpec
from lthtui import listed, settings, sources, starting, sweeps
from lthtui.filefields import SpecFile
from lthtui.specerrors import Finding, explain
from lthtui.spectree import Tree
from lthtui.yamlfile import Problem


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


class Maker:
    """Makes runs, collecting every problem on the way.

    Args:
        stem: stands for the name of settings that have none.
        patience: whether runs may refer to tickets that have yet to be made.

    Attributes:
        problems: what is in the way of runs.
        notes: what the user should know.
        later: runs whose tickets have yet to be made.
    """

    def __init__(self, stem: str, patience: sources.Patience | None) -> None:
        self._stem, self._patience = stem, patience
        self.problems, self.notes, self.later = list[Problem](), list[str](), list[sources.Found]()
        self._images: dict[str, Description | None] = {}

    def blame(self, tree: Tree, *findings: Finding) -> None:
        """Collect problems of a tree."""
        self.problems += (tree.problem(finding) for finding in findings)

    def forget(self, count: int) -> None:
        """Drop all problems but the first `count`, to be found again if they are met again."""
        del self.problems[count:]
        self._images.clear()

    def runs(self, tree: Tree, seeds: Sequence[int]) -> Iterator[Ready]:
        """The runs of a tree, one per seed."""
        data = {"name": self._stem or None, **tree.data}
        if data.get("experiment") is None:
            data["experiment"] = self._stem or None
        try:
            spec = RunSpec.model_validate(data)
        except ValidationError as error:
            self.blame(tree, *explain(error, tree.data, list(SpecFile.model_fields)))
            return
        try:
            spec = listed.resolve(spec, settings.root())
        except (DataError, UsageError) as error:
            self.blame(tree, Finding(("data", "examples"), str(error)))
            return
        try:
            spec = starting.resolve(spec)
        except UsageError as error:
            self.blame(tree, Finding(("start", "file"), str(error)))
            return
        images = self._describe(spec, tree)
        if images is None:
            return
        try:
            for choice in (spec.model, spec.augmentation):
                choice.check_size(images.size)
            if sources.referred(spec):
                yield from self._with_tickets(spec, images, seeds, tree)
            else:
                planned = plan(spec, images.train)
                for seed in seeds:
                    yield Ready(spec.model_copy(update={"seed": seed}), images, planned, tree)
        except SpecError as error:
            self.blame(tree, Finding(sweeps.dotted(error.at), str(error), together=True))

    def _with_tickets(
        self, spec: RunSpec, images: Description, seeds: Sequence[int], tree: Tree
    ) -> Iterator[Ready]:
        """Runs that refer to tickets, which may be others for each seed."""
        for seed in seeds:
            seeded = spec.model_copy(update={"seed": seed})
            found = sources.resolve(seeded, settings.root(), self._patience)
            self.notes += found.notes
            if found.after:
                self.later.append(found)
            else:
                yield Ready(found.spec, images, plan(found.spec, images.train), tree)

    def _describe(self, spec: RunSpec, tree: Tree) -> Description | None:
        key = spec.data.model_dump_json()
        if key not in self._images:
            try:
                module = registry.load("datasets", spec.data.name)
                self._images[key] = module.describe(spec.data)
            except (DataError, SpecError) as error:
                self._images[key] = None
                at = sweeps.dotted(getattr(error, "at", "") or "data")
                found = tree.problem(Finding(at, str(error), "key", together=True))
                absent = isinstance(error, NoSet)
                self.problems.append(dataclasses.replace(found, absent=absent))
        return self._images[key]
