"""Derives the specs of controls from a run: what is left of its ticket's gain without the ticket.

A control is the source run's own spec with as little changed as its kind needs, so that it differs
in nothing else. It names the run and the level that it controls.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import registry
from engine.errors import USAGE, LthError, SpecError, UsageError
from engine.events import LevelEnded, RunStarted, Tail
from engine.repetition import Repetition
from engine.rundir import RunDirectory
from engine.sources import Level, Source
from engine.spec import RunSpec
from lthtui import runnames, sources, specfiles, yamlfile
from lthtui.specfiles import Expansion
from lthtui.text import clean_line
from lthtui.yamlfile import FileError

Doc = dict[str, Any]
Ask = Callable[[Sequence[str]], Mapping[str, Any]]
NAME = 64  # characters of a spec's name


@dataclass(frozen=True)
class Original:
    """A run whose ticket is controlled.

    Attributes:
        reference: the ticket as a spec names it.
        whole: the run as a spec names it whose level does not matter.
        ticket: the ticket as it was found, or why there is none to control.
        levels: how many there are.
        searches: whether some after the first only search, so that nothing is picked among them.
        epochs: epochs of all of them, over all its training images.
        parameters: of the whole network, pruned weights included.
    """

    directory: RunDirectory
    spec: RunSpec
    reference: str
    whole: str
    ticket: Source | str
    levels: int
    searches: bool
    epochs: float
    parameters: int

    def remaining(self, ticket: Source) -> int:
        """Parameters that the ticket has: those kept, and those that cannot be pruned."""
        return self.parameters - ticket.total + ticket.kept

    @property
    def single(self) -> dict[str, Any]:
        """What a control of one level has instead of a numbered level to select."""
        level = self.spec.select.level
        return {"select.level": level} if isinstance(level, int) else {}


def originals(root: Path, words: Iterable[str], level: Level) -> list[Original]:
    """The runs that are meant, each once; a word may stand for all seeds of a group.

    Raises:
        UsageError: a word means no run, or several groups; a run is not over, has no such level,
            or keeps no sparse ticket.
        Damaged: a ticket's file is broken.
    """
    found = {run.run_id: run for word in words for run in runnames.seeds(root, word)}
    return [_original(root, run, level) for run in found.values()]


def derive(
    names: Iterable[str], runs: Sequence[Original], ask: Ask, changes: Sequence[str] = ()
) -> list[tuple[Doc, Expansion]]:
    """The spec files of these kinds of controls, and the runs that they make.

    Args:
        ask: has the worker program carry out a verb.
        changes: overrides.

    Raises:
        UsageError: a kind cannot be made of these runs; it says why, and which kinds can.
        FileError: an override is wrong.
    """
    made: dict[str, list[tuple[Doc, Expansion]]] = {}
    refused: dict[str, str] = {}

    def attempt(kinds: Iterable[str]) -> None:
        for kind in kinds:
            try:
                made[kind] = _derived(kind, runs, ask, changes)
            except UsageError as error:
                refused[kind] = str(error)

    attempt(names)
    if refused:
        asked = list(refused)
        attempt(kind for kind in KINDS if kind not in {*made, *asked})
        raise UsageError(_refusal({kind: refused[kind] for kind in asked}, made))
    return [one for found in made.values() for one in found]


def _derived(
    kind: str, runs: Sequence[Original], ask: Ask, changes: Sequence[str]
) -> list[tuple[Doc, Expansion]]:
    """One kind.

    Raises:
        UsageError: it cannot be made of these runs, and why.
    """
    for run in runs:
        _check(kind, run)
    try:
        found = _documents(kind, runs, ask)
        return [
            (one, specfiles.expand_document(_parsed(one), one["name"], changes)) for one in found
        ]
    except FileError as error:
        own = [one.message for one in error.problems if not one.source.startswith("override ")]
        if len(own) < len(error.problems):
            raise
        raise UsageError(own[0]) from None
    except LthError as error:
        if error.exit_code != USAGE:
            raise
        raise UsageError(str(error)) from None


def _check(kind: str, run: Original) -> None:
    """Refuse what cannot be made, in words of controls."""
    name, source = run.directory.run_id, getattr(run.spec.sparsifier, "source", None)
    known = isinstance(source, Source) and source.run
    instead = f"; control {source.run} --level {source.level}" if source and known else ""
    if kind not in WHOLE and isinstance(run.ticket, str):
        raise UsageError(run.ticket)
    if kind in MOVED and isinstance(run.ticket, Source) and not run.ticket.whole:
        raise UsageError(
            f"{name} knows only what the weights that its own mask keeps began with, and this keeps"
            f" others{instead}"
        )
    if kind == "null":
        try:
            _dense_like(run)
        except SpecError as error:
            raise UsageError(f"{name}: {error}{instead}") from None


def _refusal(refused: Mapping[str, str], made: Iterable[str]) -> str:
    """Each reason once, with the kinds that it keeps from being made, and then the others."""
    kinds: dict[str, list[str]] = {}
    for kind, why in refused.items():
        kinds.setdefault(why, []).append(kind)
    lines = [f"no {', '.join(names)}: {why}" for why, names in kinds.items()]
    can = [kind for kind in KINDS if kind in made]
    return "\n".join([*lines, f"possible: --kind {','.join(can)}" if can else "no other either"])


def _documents(kind: str, runs: Sequence[Original], ask: Ask) -> list[Doc]:
    """The spec files of one kind of control, runs that differ in their seed only in one."""
    seeds: dict[str, list[int]] = {}
    known: dict[tuple[str, int], Doc] = {}

    def narrowed(run: Original) -> Doc:
        assert isinstance(run.ticket, Source), "checked before"
        key = run.spec.group, run.remaining(run.ticket)
        if key not in known:
            known[key] = _narrowed(run.spec, key[1], ask)
        return known[key]

    for run in runs:
        text = json.dumps(_document(kind, run, narrowed))
        seeds.setdefault(text, []).append(run.spec.seed)
    return [{**json.loads(text), "seeds": found} for text, found in seeds.items()]


def kinds(text: str) -> list[str]:
    """The kinds that are meant: names with commas between them, or all.

    Raises:
        UsageError: there is no such kind.
    """
    names = list(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in (*KINDS, "all"):
            raise UsageError(f"no control '{clean_line(name)}'; all, or {', '.join(KINDS)}")
    return list(KINDS) if "all" in names else names


def write(documents: Sequence[Doc], folder: Path) -> list[Path]:
    """Write spec files into a folder; kinds that need several have the repetition in their names.

    Raises:
        UsageError: a file exists already.
    """
    names = Counter(document["name"] for document in documents)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for document in documents:
        which = f"-{_repetition(document)}" if names[document["name"]] > 1 else ""
        paths.append(folder / f"{document['name']}{which}.yaml")
    for path in paths:
        if path.exists():
            raise UsageError(f"{path} exists already; nothing was written")
    for path, document in zip(paths, documents, strict=True):
        path.write_text(yamlfile.dump(document))
    return paths


def _repetition(document: Doc) -> Repetition:
    """The first of those that a control's spec file makes."""
    data = document["data"]
    draw, folds, fold = (data.get(name) or 0 for name in ("seed", "folds", "fold"))
    return Repetition(draw, folds, fold, document["seeds"][0])


def _parsed(document: Doc) -> yamlfile.Document:
    """A control's spec as a document, for messages that point into it."""
    return yamlfile.parse(yamlfile.dump(document), document["name"])


def _original(root: Path, run: RunDirectory, level: Level) -> Original:
    ticket, whole, spec = _ticket_of(root, run, level), _whole(root, run, level), run.spec()
    events = list(Tail(run.events_file).read())
    ended = [event for event in events if isinstance(event, LevelEnded)]
    if isinstance(ticket, str):
        absent = isinstance(level, int) and level not in {event.level for event in ended}
        if whole is None or absent:
            raise UsageError(ticket)
    started = next(event for event in events if isinstance(event, RunStarted))
    steps = max(event.step or 0 for event in ended)
    name = _name(root, run, spec)
    return Original(
        run,
        spec,
        f"{name}:{level}",
        f"{name}:{whole}",
        ticket,
        len(ended),
        any(event.search for event in ended[1:]),
        steps / started.steps_per_epoch,
        started.parameters,
    )


def _ticket_of(root: Path, run: RunDirectory, level: Level) -> Source | str:
    """The sparse ticket of a level, or why there is none to control."""
    try:
        ticket = sources.resolved(Source(run.run_id, level), run.spec().repetition, root)
    except UsageError as error:
        return str(error)
    if not ticket.dense:
        return ticket
    return (
        f"level {ticket.level} of {run.run_id} is dense, so there is no ticket to control;"
        " --level names a sparse one"
    )


def _whole(root: Path, run: RunDirectory, level: Level) -> Level | None:
    """The level by which to name a run as a whole: the same one for all that are asked for."""
    picks: tuple[Level, ...] = ("best", "last", level)
    return next((one for one in picks if isinstance(_ticket_of(root, run, one), Source)), None)


def _name(root: Path, run: RunDirectory, spec: RunSpec) -> str:
    """The name for all seeds, where no other run has it; or else the run's id."""
    try:
        found = runnames.paired(root, spec.name, spec.repetition)
    except UsageError:
        return run.run_id
    return spec.name if found.path == run.path else run.run_id


def _document(kind: str, run: Original, narrowed: _Narrowed) -> Doc:
    settings, instead = KINDS[kind](run, narrowed)
    data: Doc = run.spec.model_dump(mode="json", exclude_defaults=True, exclude={"seed"})
    data |= {"name": f"{run.spec.name[: NAME - len(kind) - 1]}-{kind}"}
    data |= {"experiment": run.spec.experiment_name, "sparsifier": settings.pop("sparsifier")}
    data.setdefault("train", {}).update(settings.pop("train", {}))
    data["model"].update(settings.pop("model", {}))
    select = {k: v for k, v in data.pop("select", {}).items() if f"select.{k}" not in instead}
    if select := {**select, **settings.pop("select", {})}:
        data["select"] = select
    data["controls"] = {"source": run.whole if kind in WHOLE else run.reference, "kind": kind}
    if instead:
        data["controls"]["instead"] = instead
    return data


def _ticket(**settings: Any) -> _Kind:
    def make(run: Original, narrowed: object) -> tuple[Doc, Doc]:
        return {"sparsifier": {"name": "ticket", "source": run.reference, **settings}}, run.single

    return make


def _null(run: Original, narrowed: object) -> tuple[Doc, Doc]:
    """As many trainings, returns and picks, without pruning."""
    settings: Doc = {"sparsifier": {**_dense(run), **_dense_like(run)}}
    level = run.spec.select.level
    if level != "best" or not run.searches:
        return settings, {}
    return {**settings, "select": {"level": "last"}}, {"select.level": level}


def _dense_like(run: Original) -> Doc:
    """Trainings like those of the run.

    Raises:
        SpecError: dense has none such.
    """
    null = registry.load("sparsifiers", "dense").null(run.spec.sparsifier, run.levels)
    dump: Doc = null.model_dump(mode="json", exclude_defaults=True)
    return dump


def _small_dense(run: Original, narrowed: _Narrowed) -> tuple[Doc, Doc]:
    """The widest dense network that has no more parameters than the ticket."""
    model = narrowed(run)
    before = {f"model.{field}": getattr(run.spec.model, field) for field in model}
    return {"sparsifier": _dense(run), "model": model}, {**before, **run.single}


def _narrowed(spec: RunSpec, parameters: int, ask: Ask) -> Doc:
    with tempfile.TemporaryDirectory(prefix="lthtui-") as folder:
        file = Path(folder) / "spec.yaml"
        file.write_text(specfiles.write(spec))
        return dict(ask(["narrow", str(file), str(parameters)])["model"])


def _budget(run: Original, narrowed: object) -> tuple[Doc, Doc]:
    """One dense training of as many epochs as the whole run had."""
    before = run.spec.train.multiplier
    multiplier = max(1, round(run.epochs)) / run.spec.train.epochs
    settings = {"sparsifier": _dense(run), "train": {"multiplier": multiplier}}
    return settings, {"train.multiplier": before, **run.single}


def _dense(run: Original) -> Doc:
    """No pruning, with the density counted over the same weights."""
    return {"name": "dense", "prunable": run.spec.prunable}


_Narrowed = Callable[[Original], Doc]
_Kind = Callable[[Original, _Narrowed], tuple[Doc, Doc]]
MOVED = ("same_layer", "random", "uniform", "erk")
WHOLE = ("null", "budget")  # of all that the run did, whichever level is taken
KINDS: dict[str, _Kind] = {
    **{mask: _ticket(mask=mask) for mask in MOVED},
    "reinit": _ticket(weights="reinit"),
    "shuffle": _ticket(weights="shuffle"),
    "small_dense": _small_dense,
    "null": _null,
    "budget": _budget,
}
