"""Finds the tickets of earlier runs that a spec refers to, and says why one cannot be taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine import registry
from engine.cards import read_card, verified_card
from engine.durations import Duration
from engine.errors import Damaged, SpecError, UsageError
from engine.plan import Level
from engine.repetition import Repetition, listed
from engine.rundir import RunDirectory, Status, last_end, status
from engine.sources import (
    TICKET,
    Source,
    check_fits,
    found_in,
    replaced,
)
from engine.spec import Controls, RunSpec
from lthtui import runnames
from lthtui.launch import retrying
from lthtui.monitor import Watched
from lthtui.text import clean_line

NAME = 40  # characters of what a ticket is called


@dataclass(frozen=True)
class Found:
    """A spec whose sources are found, and what its user should know about them.

    Attributes:
        after: ids of runs that have to finish first; the sources of their tickets are not found
            yet, but name these runs.
    """

    spec: RunSpec
    notes: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Patience:
    """That tickets may be waited for, also those of runs that the same command makes.

    Attributes:
        made: ids of those runs, by name and repetition.
    """

    made: Mapping[tuple[str, Repetition], Sequence[str]] = field(default_factory=dict)

    def find(self, word: str, repetition: Repetition) -> str | None:
        """The run that is meant, if the same command makes it.

        Raises:
            UsageError: it makes several of this name and repetition.
        """
        known = self.made.items()
        short = [run for (name, one), runs in known for run in runs if f"{name}-{one}" == word]
        runs = short or self.made.get((word, repetition)) or ()
        if len(runs) > 1:
            raise UsageError(
                f"'{clean_line(word)}' means {len(runs)} runs of this command; give them names of"
                " their own"
            )
        return runs[0] if runs else None


class Unfinished(UsageError):
    """A run waits or runs, so that its tickets are not final yet."""

    def __init__(self, message: str, run_id: str) -> None:
        super().__init__(message)
        self.run_id = run_id


def referred(spec: RunSpec) -> bool:
    """Whether a spec refers to tickets of other runs."""
    return next(found_in(spec), None) is not None


def resolve(spec: RunSpec, root: Path, patience: Patience | None = None) -> Found:
    """Find the tickets that a spec refers to; a retrained ticket names itself a control.

    Raises:
        SpecError: a ticket is not there, damaged, or, without patience, not final; `at` names the
            field.
    """
    notes, after = list[str](), list[str]()

    def find(at: str, source: Source) -> Source:
        try:
            made = patience.find(source.run, spec.repetition) if patience and source.run else None
            run = RunDirectory(root / "runs" / made) if made else None
            if made and run and not _finished(run):
                raise Unfinished(f"{made} is made by the same command", made)
            found = resolved(replace(source, run=made) if made else source, spec.repetition, root)
        except Unfinished as error:
            if patience is None:
                raise SpecError(str(error), at) from None
            after.append(error.run_id)
            return replace(source, run=error.run_id)
        except runnames.Absent as error:
            raise SpecError(
                f"{error}; the spec that makes it may stand before this one in one `lthtui run`", at
            ) from None
        except (UsageError, Damaged) as error:
            raise SpecError(str(error), at) from None
        if found.run and not _fixed(source):
            theirs = _spec(read_card(Path(found.path))).repetition
            if theirs != spec.repetition:
                which = listed([spec.repetition], [theirs])
                notes.append(f"{at}: {which} takes its ticket from {found.run}")
        return found

    spec = replaced(spec, find)
    if not after and spec.start.ticket.named:
        check_fits(spec.start.ticket, spec, "start.ticket", but=("stem", "patch"))
    return Found(spec if after else _linked(spec), tuple(notes), tuple(dict.fromkeys(after)))


def resolved(source: Source, repetition: Repetition, root: Path) -> Source:
    """Find one ticket.

    Args:
        repetition: of the run that refers to it; a run's name alone means the same one.

    Raises:
        UsageError: there is no such run or level, or its tickets are not final.
        Damaged: its file is broken, or another one than was found before.
    """
    path = Path(source.path).expanduser().absolute() if source.path else None
    if path is None or (source.run and not path.is_file()):
        run = runnames.paired(root, source.run, repetition)
        path = _ticket(run, _level(run, source))
    directory = _directory(path)
    stamp = path.stat() if path.is_file() else None
    card = _card(path, stamp and stamp.st_mtime_ns, stamp and stamp.st_size)
    if source.found and card["sha256"] != source.sha256:
        raise Damaged(f"{path} is no longer the ticket that was found before: it has changed")
    facts = replace(
        source,
        path=str(path),
        run=directory.run_id if directory else "",
        pick=source.pick if source.run else card.get("level") or 0,
    )
    return _described(facts, card, directory, repetition)


def _linked(spec: RunSpec) -> RunSpec:
    """A retrained ticket is a control of it, unless it is trained on something else."""
    source = getattr(spec.sparsifier, "source", None)
    kind = getattr(spec.sparsifier, "kind", None)
    if spec.controls is not None or not isinstance(source, Source) or not source.run or not kind:
        return spec
    theirs = _spec(read_card(Path(source.path)))
    if theirs.family != spec.family:
        return spec
    return spec.model_copy(update={"controls": Controls(source=source, kind=kind)})


def _fixed(source: Source) -> bool:
    """Whether a reference names one run whatever the repetition, and says so."""
    return source.found or bool(source.path) or runnames.names_seed(source.run)


def _level(run: RunDirectory, source: Source) -> int:
    """The number of the level that is meant.

    Raises:
        UsageError: the run is not over, or has not finished.
    """
    state = status(run)
    if state != Status.FINISHED:
        what = f"{run.run_id} is {state}, and its tickets are not final yet"
        if retrying.goes_on(run):
            raise Unfinished(
                f"{what}; wait, or let `lthtui run` or `lthtui control` do so", run.run_id
            )
        raise UsageError(f"{what}; lthtui resume {run.run_id}")
    if source.level is not None:
        return source.level
    if isinstance(source.pick, int):
        return source.pick
    ended = last_end(run)
    if source.pick == "best" and ended and ended.winning:
        return ended.winning.level
    return max(_levels(run), default=0)


def _finished(run: RunDirectory) -> bool:
    return run.spec_file.is_file() and status(run) == Status.FINISHED


def _levels(run: RunDirectory) -> list[int]:
    return sorted(int(path.name) for path in run.levels.glob("[0-9]*"))


def _ticket(run: RunDirectory, level: int) -> Path:
    path = run.level(level) / TICKET
    if path.is_file():
        return path
    kept = ", ".join(str(one) for one in _levels(run) if (run.level(one) / TICKET).is_file())
    if level not in _levels(run):
        last = max(_levels(run), default=-1)
        raise UsageError(f"{run.run_id} has no level {level}, only 0 to {last}; kept: {kept}")
    raise UsageError(
        f"{run.run_id} has not kept the weights of level {level}; kept: {kept or 'none'}."
        " Run it again with keep: [all] and --again, or take one of these"
    )


def _directory(ticket: Path) -> RunDirectory | None:
    """The run that a ticket file lies in; None for one that was taken away."""
    if ticket.name != TICKET or ticket.parent.parent.name != "levels":
        return None
    directory = RunDirectory(ticket.parents[2])
    return directory if directory.spec_file.is_file() else None


@lru_cache(maxsize=64)
def _card(path: Path, changed: int | None, size: int | None) -> dict[str, Any]:
    """The card of a ticket whose checksum holds; files that did not change are read once."""
    return verified_card(path)


def _spec(card: dict[str, Any]) -> RunSpec:
    try:
        return RunSpec.model_validate(card["spec"])
    except ValidationError as error:
        why = clean_line(str(error.errors()[0]["msg"]))
        raise Damaged(f"the card of the ticket cannot be read: {why}") from None


def _described(
    source: Source, card: dict[str, Any], run: RunDirectory | None, repetition: Repetition
) -> Source:
    """A source with what its card says of it, and what it is to a run of this repetition."""
    spec, level = _spec(card), card.get("level")
    began = _began(spec, level)
    return replace(
        source,
        called=_called(source, card, spec, repetition),
        sha256=card["sha256"],
        level=level,
        seed=spec.seed,
        group=spec.group,
        kept=card["kept"],
        total=card["total"],
        prunable=spec.prunable,
        at=str(began.at),
        lasts=str(began.lasts),
        learning_rate=began.learning_rate,
        stream=None if level is None else began.stream,
        start=None if level is None else _start(spec, began, run),
    )


def _called(source: Source, card: dict[str, Any], spec: RunSpec, repetition: Repetition) -> str:
    """The name and the group of a ticket's run, which repetition it is if another, and the level.

    So repetitions that are compared with their own of another group are compared with the same.
    A ticket without a run here goes by its file.
    """
    if not source.run:
        return f"{Path(source.path).stem[:NAME]}-{card['sha256'][:6]}"
    other = "" if spec.repetition == repetition else f"-{spec.repetition}"
    return f"{spec.name[:NAME]}-{spec.group[:6]}{other}:{source.pick}"


def _began(spec: RunSpec, level: int | None) -> Level:
    """How the ticket's level was trained; an imported ticket is trained from the beginning."""
    if level is None:
        return Level(0, 1.0)
    planned = registry.load("sparsifiers", spec.sparsifier.name).Sparsifier(spec.sparsifier)
    levels: list[Level] = list(planned.levels())
    return levels[level]


def _start(spec: RunSpec, began: Level, run: RunDirectory | None) -> int | None:
    """The step whose weights the level began with, where those of pruned weights are known."""
    if referred(spec) or began.start is None:
        return None
    if not began.index or began.start == Duration():
        return 0
    if run is None:
        return None
    return began.start.in_steps(Watched(run, curves=False).progress.steps_per_epoch)
