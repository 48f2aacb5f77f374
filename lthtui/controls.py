"""Derives controls from runs: what is left of a ticket's gain without something of the ticket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from engine.errors import USAGE, LthError, UsageError
from engine.events import LevelEnded, RunStarted, Tail
from engine.repetition import Repetition
from engine.rundir import RunDirectory
from engine.sources import Level, Source
from engine.spec import RunSpec
from lthtui import controlkinds, runnames, sources, specfiles, yamlfile
from lthtui.controlkinds import FIRST, KINDS, Ask, Doc, Original
from lthtui.sources import Patience
from lthtui.specfiles import Expansion
from lthtui.yamlfile import FileError

Waiting = Callable[[Sequence[Expansion]], Patience]  # for tickets of runs that are made before


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
    names: Iterable[str],
    runs: Sequence[Original],
    ask: Ask,
    waiting: Waiting,
    changes: Sequence[str] = (),
) -> list[tuple[Doc, Expansion]]:
    """The spec files of these kinds of controls, and the runs that they make.

    What a kind needs first comes before it, and its own runs may have to wait for that.

    Args:
        ask: has the worker program carry out a verb.
        waiting: what is to be known of runs whose tickets may be waited for.
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
                made[kind] = _derived(kind, runs, ask, waiting, changes)
            except UsageError as error:
                refused[kind] = str(error)

    attempt(names)
    if refused:
        asked = list(refused)
        attempt(kind for kind in KINDS if kind not in {*made, *asked})
        raise UsageError(_refusal({kind: refused[kind] for kind in asked}, made))
    return [one for found in made.values() for one in found]


def _derived(
    kind: str, runs: Sequence[Original], ask: Ask, waiting: Waiting, changes: Sequence[str]
) -> list[tuple[Doc, Expansion]]:
    """One kind, behind what it needs first.

    Raises:
        UsageError: it cannot be made of these runs, and why.
    """

    def expanded(kind: str, patience: Patience | None) -> list[tuple[Doc, Expansion]]:
        return [
            (one, specfiles.expand_document(_parsed(one), one["name"], changes, patience))
            for one in controlkinds.documents(kind, runs, ask)
        ]

    for run in runs:
        controlkinds.check(kind, run)
    try:
        if kind not in FIRST:
            return expanded(kind, None)
        first = expanded(FIRST[kind], None)
        return [*first, *expanded(kind, waiting([expansion for _, expansion in first]))]
    except FileError as error:
        own = [one.message for one in error.problems if not one.source.startswith("override ")]
        if len(own) < len(error.problems):
            raise
        raise UsageError(own[0]) from None
    except LthError as error:
        if error.exit_code != USAGE:
            raise
        raise UsageError(str(error)) from None


def _refusal(refused: Mapping[str, str], made: Iterable[str]) -> str:
    """Each reason once, with the kinds that it keeps from being made, and then the others."""
    kinds: dict[str, list[str]] = {}
    for kind, why in refused.items():
        kinds.setdefault(why, []).append(kind)
    lines = [f"no {', '.join(names)}: {why}" for why, names in kinds.items()]
    can = [kind for kind in KINDS if kind in made]
    return "\n".join([*lines, f"possible: --kind {','.join(can)}" if can else "no other either"])


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
