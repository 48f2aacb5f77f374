"""Derives longer runs from finished ones: more levels, more epochs, more seeds.

A longer run's spec is that of the finished run with what it is to have more of, so that it is the
same run as one of that spec trained from the start. It names the run that it takes levels from.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from engine import growth, sources
from engine.errors import LthError, UsageError
from engine.growth import Kept, Shared
from engine.plan import plan
from engine.repetition import Repetition
from engine.rundir import RunDirectory, Status, status
from engine.spec import RunSpec
from lthtui import identity, overrides, runnames, specfiles, yamlfile
from lthtui.counting import counted
from lthtui.launch import queue
from lthtui.readying import Ready
from lthtui.specfiles import Expansion
from lthtui.text import clean_line

SEEDS = (("seed",), ("seeds",))
LOOKS = 50  # newest runs that a hint is looked for in, which takes some milliseconds each
MORE = "say what it is to have more of: sparsifier.levels=20, train.epochs=200, or seeds=0,1,2,3,4"


@dataclass(frozen=True)
class Longer:
    """A longer run, and what it takes over.

    Attributes:
        source: the finished run; None for a seed that is new.
        shared: what is taken over of it; None where nothing is trained anew, or all of it.
    """

    ready: Ready
    source: RunDirectory | None
    shared: Shared | None

    @property
    def told(self) -> str:
        """What is taken over and what is trained, in a line; empty where neither is."""
        if self.shared is None or self.source is None:
            return ""
        line = f"{self.source.run_id}: {_told(self.shared, self.ready)}"
        old, new = (set(map(str, spec.keep)) for spec in (self.source.spec(), self.ready.spec))
        if more := sorted(new - old):
            line += f"; keep has {', '.join(more)} now, but weights that it dropped stay dropped"
        return clean_line(line, 1000)


def derive(
    root: Path, words: Iterable[str], changes: Sequence[str], seeds: int | None = None
) -> tuple[list[Expansion], list[Longer]]:
    """The longer runs of those that are meant; a word may stand for all seeds of a group.

    Args:
        changes: overrides: what the runs are to have more of.
        seeds: how many there are to be in all; new ones are the lowest that are free.

    Raises:
        UsageError: a word means no run, or several groups; nothing is asked for; a run is not over,
            has all that is asked for, or nothing that could be taken over, and why.
        FileError: an override is wrong.
    """
    if not changes and seeds is None:
        raise UsageError(MORE)
    groups: dict[tuple[str, ...], dict[str, RunDirectory]] = defaultdict(dict)
    for word in words:
        for run in runnames.seeds(root, word):
            spec = run.spec()
            strand = spec.repetition._replace(seed=0)  # seeds of one fold and draw
            groups[spec.group, str(strand)][run.run_id] = run
    expansions, longer = [], []
    for runs in groups.values():
        found, made = _grown(list(runs.values()), changes, seeds)
        expansions.append(found)
        longer += made
    if all(one.source is not None and one.shared is None for one in longer):
        raise UsageError(f"all of that is there already; {MORE}")
    return expansions, longer


def taken(root: Path, ready: Ready) -> dict[str, Any] | None:
    """What a run takes over of the run that its spec extends, as JSON; None if it extends none.

    Nothing is taken over where that cannot be read: the worker then trains all of it.
    """
    if ready.spec.extends is None:
        return None
    source = RunDirectory(root / "runs" / ready.spec.extends)
    try:
        found = growth.shared(source.spec(), ready.spec, ready.images.train, growth.look(source))
    except (LthError, OSError):
        found = Shared(0, 0, 0)
    sizes = {"levels": found.levels, "epochs": found.epochs, "steps": found.steps}
    return {"run": source.run_id, **sizes}


def told(extends: Mapping[str, Any]) -> str:
    """The run that another extends, and what of it was taken over, once that is known."""
    if extends["epochs"]:
        return f"{extends['run']} ({counted(extends['epochs'], 'epoch')})"
    if extends["levels"]:
        return f"{extends['run']} ({_levels(0, extends['levels'])})"
    return str(extends["run"]) + (" (nothing was taken over)" if extends["levels"] == 0 else "")


def hints(root: Path, runs: Sequence[Ready]) -> Iterator[str]:
    """For runs that would be new, which finished ones have levels that they would train again."""
    wanted: dict[tuple[str, Repetition], list[Ready]] = defaultdict(list)
    found = queue.preview(root, [one.spec for one in runs])
    for ready, one in zip(runs, found, strict=True):
        if one.action == "new" and ready.spec.extends is None and len(ready.plan.levels) > 1:
            wanted[ready.spec.family, ready.spec.repetition].append(ready)
    if not wanted:
        return
    best: dict[str, tuple[Shared, Ready, RunDirectory]] = {}
    alike = ((run, _key(run)) for run in reversed(runnames.every(root)))
    for run, key in islice(((run, key) for run, key in alike if key in wanted), LOOKS):
        for ready in wanted[key]:
            try:
                same = _compared(ready, run, run.spec())
            except LthError:
                continue
            group = ready.spec.group
            if group not in best or same.steps >= best[group][0].steps:
                best[group] = same, ready, run
    for same, ready, run in best.values():
        yield clean_line(
            f"{_levels(0, same.levels)} of {ready.spec.name} are trained already in {run.run_id};"
            f" `lthtui extend {run.run_id} {_asked(run.spec(), ready.spec)}` takes them over",
            1000,
        )


def _grown(
    runs: Sequence[RunDirectory], changes: Sequence[str], seeds: int | None
) -> tuple[Expansion, list[Longer]]:
    """The longer runs of one group, fold and draw, each of its own seed's run."""
    specs = {run.run_id: run.spec() for run in runs}
    own = {specs[run.run_id].seed: run for run in runs}
    asked, rest = _asked_seeds(changes)
    wanted = asked if asked is not None else _as_many(own, seeds)
    first = specs[runs[0].run_id]
    new = [seed for seed in wanted if seed not in own]
    if new and next(sources.found_in(first), None) is not None:
        raise UsageError(
            f"{runs[0].run_id} starts from a ticket that is its own seed's; new seeds need theirs:"
            " run the spec file, or lthtui control, with those"
        )
    documents = [(specs[own[seed].run_id], [seed]) for seed in wanted if seed in own]
    documents += [(first, new)] if new else []
    parts = [_expanded(spec, of, rest) for spec, of in documents]
    longer = [_longer(one, own.get(one.spec.seed)) for part in parts for one in part.runs]
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    ready = tuple(one.ready for one in longer)
    return Expansion(clean_line(first.name), ready, tuple(notes)), longer


def _expanded(spec: RunSpec, seeds: Sequence[int], changes: Sequence[str]) -> Expansion:
    data: dict[str, Any] = spec.model_dump(
        mode="json", exclude_defaults=True, exclude={"seed", "extends"}
    )
    data |= {"experiment": spec.experiment_name, "seeds": list(seeds)}
    document = yamlfile.parse(yamlfile.dump(data), spec.name)
    return specfiles.expand_document(document, spec.name, changes)


def _longer(ready: Ready, source: RunDirectory | None) -> Longer:
    """One longer run.

    Raises:
        UsageError: its source is not over, has as much, or nothing that could be taken over.
    """
    if source is None:
        return Longer(ready, None, None)
    old = source.spec()
    if old.digest == ready.spec.digest:
        return Longer(ready, source, None)
    try:
        found = _compared(ready, source, old)
    except UsageError as error:
        raise UsageError(f"{source.run_id}: {error}") from None
    spec = ready.spec.model_copy(update={"extends": source.run_id})
    return Longer(replace(ready, spec=spec), source, found)


def _compared(ready: Ready, source: RunDirectory, old: RunSpec) -> Shared:
    state = status(source)
    if state != Status.FINISHED:
        raise UsageError(f"it is {state}; only a finished run can be extended")
    if source.subset() != ready.images.subset:
        raise UsageError(f"it was trained on other images than {old.data.root} gives now")
    kept = growth.look(source)
    found = growth.shared(old, ready.spec, ready.images.train, kept)
    if found.levels == len(ready.plan.levels):
        raise UsageError(f"it has {_levels(0, len(kept.levels))} already; {MORE}")
    if _ended_early(ready, old, kept):
        raise UsageError(
            f"it ended after level {len(kept.levels) - 1} by its own rule, before its plan did, so"
            " that a longer plan would change nothing; set sparsifier.stop_below=null to go on"
        )
    return found


def _ended_early(ready: Ready, old: RunSpec, kept: Kept) -> bool:
    """Whether the longer run would end where the finished one did, before its plan's end."""
    one, two = (getattr(spec.sparsifier, "stop_below", None) for spec in (old, ready.spec))
    return one == two and len(kept.levels) < len(plan(old, ready.images.train).levels)


def _asked_seeds(changes: Sequence[str]) -> tuple[list[int] | None, list[str]]:
    """The seeds that overrides ask for, None where they say nothing of them, and the others."""
    seeds: list[int] | None = None
    rest = []
    for text in changes:
        change = overrides.read(text)
        if change.path not in SEEDS:
            rest.append(text)
            continue
        values = [document.data for document in change.values]
        listed = values[0] if isinstance(values[0], list) else values
        if not all(type(seed) is int and seed >= 0 for seed in listed):
            raise UsageError(f"{clean_line(text)}: seeds are whole numbers from 0, as seeds=0,1,2")
        seeds = list(dict.fromkeys(listed))
    return seeds, rest


def _as_many(own: Mapping[int, RunDirectory], count: int | None) -> list[int]:
    """These seeds, and the lowest others, until there are `count`."""
    seeds = sorted(own)
    free = (seed for seed in range(len(own) + (count or 0)) if seed not in own)
    return seeds + [next(free) for _ in range((count or 0) - len(own))]


def _told(found: Shared, ready: Ready) -> str:
    planned = ready.plan
    if found.epochs:
        taken, left = counted(found.epochs, "epoch"), f"{planned.epochs - found.epochs:g} more"
    else:
        taken = _levels(0, found.levels)
        left = _levels(found.levels, len(planned.levels))
    steps = f"{planned.steps - found.steps:,} of {counted(planned.steps, 'step')}"
    why = f" ({found.why})" if found.why else ""
    return f"{taken} taken over{why}, {left} to train: {steps}"


def _levels(first: int, end: int) -> str:
    return f"level {first}" if end == first + 1 else f"levels {first} to {end - 1}"


def _key(run: RunDirectory) -> tuple[str, Repetition]:
    """Family and repetition of a run; what matches no run where its spec cannot be read."""
    try:
        facts = identity.read(run)
    except (OSError, ValueError):
        return "", Repetition(seed=-1)
    return facts.family, facts.repetition


def _asked(old: RunSpec, new: RunSpec) -> str:
    """The overrides that make a longer run of a finished one."""
    one, two = old.model_dump(mode="json"), new.model_dump(mode="json")
    fields = {*one["sparsifier"], *two["sparsifier"]}
    changed = [f for f in sorted(fields) if one["sparsifier"].get(f) != two["sparsifier"].get(f)]
    return " ".join(f"sparsifier.{f}={json.dumps(two['sparsifier'].get(f))}" for f in changed)
