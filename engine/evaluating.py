"""Runs evaluations of tickets; one that fails costs nothing but itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from engine import causes, levels, outstanding, surroundings
from engine.causes import Cause
from engine.context import Result, Surroundings
from engine.errors import Damaged, Inapplicable, LthError, Stopped
from engine.evaluationspec import EvaluationSettings
from engine.events import Evaluated, EvaluationFailed, EvaluationStarted, LevelEnded
from engine.outstanding import Task, Told
from engine.registry import load
from engine.rundir import RunDirectory, begun, write_json
from engine.setup import Setup


class Evaluations:
    """What is evaluated of a run, in this process.

    Attributes:
        failed: what could not be made; it is not tried again here, nor where the queue started
            this process by itself, as the one before was killed.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        told = outstanding.told(setup.directory)
        self._made, self._cut = {**told.made}, told.cut
        self.failed = told.failed if _by_itself(setup.directory) else frozenset()

    def make(self, history: Sequence[LevelEnded], *, over: bool) -> None:
        """Make all that is asked for and can be made now, and report it.

        Args:
            history: what every level ended with, in order.
            over: whether training is over.

        What was cut short before comes last: should it be what killed a worker, the others stand.

        Raises:
            Stopped: the run was asked to stop between two of them, or within one.
            OSError: the disk is full; what was made is kept.
        """
        while tasks := self._tasks(history, over):  # more may be asked for meanwhile
            around = surroundings.surroundings(self._setup, history)
            for task in tasks:
                if self._setup.stopping():
                    raise Stopped(f"stopped before {task}; the run goes on from there")
                self._setup.emit(EvaluationStarted(level=task.level, name=task.settings.label))
                self._setup.emit(self._outcome(task, around))

    def _tasks(self, history: Sequence[LevelEnded], over: bool) -> list[Task]:
        done = Told(history, {**self._made, **dict.fromkeys(self.failed, ())})
        tasks = outstanding.tasks(self._setup.directory, self._setup.spec, done, over=over)
        return sorted(tasks, key=lambda task: task.key in self._cut)

    def _outcome(self, task: Task, around: Surroundings) -> Evaluated | EvaluationFailed:
        try:
            made = self._evaluated(task, around)
        except Stopped:
            raise
        except LthError as error:
            why = str(error)
        except Exception as error:  # an evaluation must never cost the run its result
            if causes.of(error) == Cause.DISK:  # nor is it to blame for this: it is tried again
                raise
            why = _why(error, task.settings)
        else:
            self._made[task.key] = ()  # whatever becomes of the ticket: once is enough
            return made
        self.failed |= {task.key}
        return EvaluationFailed(level=task.level, name=task.settings.label, error=why)

    def _evaluated(self, task: Task, around: Surroundings) -> Evaluated:
        settings, directory = task.settings, self._setup.directory
        if levels.ticket_path(directory, task.level) is None:
            raise Damaged(outstanding.unkept(directory, task.level))
        context = surroundings.context(around, task.level, self._setup.spec.seed)
        card = context.subject.ticket.card
        self._check(card)
        tickets = task.tickets(card["sha256"])
        try:
            result: Result = load("evaluations", settings.name).evaluate(settings, context)
        except Inapplicable as error:
            return Evaluated(
                level=task.level,
                name=settings.label,
                metrics={},
                inapplicable=str(error),
                tickets=tickets,
            )
        return keep(directory, task.level, settings.label, result, tickets)

    def _check(self, card: Mapping[str, Any]) -> None:
        """Refuse a ticket of another run, whose images or network may be others."""
        ours, theirs = self._setup.spec.digest, card["digest"]
        if theirs != ours:
            raise Damaged(
                f"the ticket of level {card['level']} is of a run with the digest {theirs[:6]}, but"
                f" {self._setup.directory.spec_file} has {ours[:6]}: one of them was changed since;"
                " put it back, or run the spec that you mean as a run of its own"
            )


def keep(
    directory: RunDirectory, level: int, label: str, result: Result, tickets: tuple[str, ...] = ()
) -> Evaluated:
    """Store the files of what `label` found in a level, and say what it found.

    Those of an evaluation that was given settings lie in a folder of their own.

    Args:
        tickets: as of `Evaluated`.
    """
    folder = directory.evaluations / f"{level:02d}"
    if " " in label:
        folder /= re.sub(r"[^\w.-]+", "_", label)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for file, document in result.files.items():
        write_json(folder / file, document, indent=1)
        paths.append(str((folder / file).relative_to(directory.path)))
    return Evaluated(
        level=level, name=label, metrics=result.metrics, files=tuple(paths), tickets=tickets
    )


def _why(error: Exception, settings: EvaluationSettings) -> str:
    """What an unforeseen error says, and what to do where memory ran out."""
    told = f"{type(error).__name__}: {error}".removesuffix(": ")
    if causes.of(error) != Cause.MEMORY:
        return told
    fields = [one for one in ("batch", "batches") if one in type(settings).model_fields]
    smaller = f", or with a smaller {settings.name}.{fields[0]}" if fields else ""
    return (
        f"{told.splitlines()[0]}; nothing of the run is lost: evaluate it again when less runs on"
        f" its device{smaller}"
    )


def _by_itself(directory: RunDirectory) -> bool:
    """Whether the queue started this attempt by itself."""
    launch = directory.launch()
    return launch is not None and launch.retries > 0 and launch.attempt >= begun(directory)
