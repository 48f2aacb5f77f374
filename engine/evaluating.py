"""Runs evaluations of tickets; one that fails costs nothing but itself."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from engine import outstanding, surroundings
from engine.context import Result, Surroundings
from engine.errors import Inapplicable, LthError, Stopped
from engine.events import Evaluated, EvaluationFailed, LevelEnded
from engine.outstanding import Task, Told
from engine.registry import load
from engine.rundir import RunDirectory
from engine.setup import Setup


class Evaluations:
    """What is evaluated of a run, in this process.

    Attributes:
        failed: what could not be made; it is not tried again here.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._made = outstanding.told(setup.directory).made
        self.failed: frozenset[tuple[int, str]] = frozenset()

    def make(self, history: Sequence[LevelEnded], *, over: bool) -> None:
        """Make all that is asked for and can be made now, and report it.

        Args:
            history: what every level ended with, in order.
            over: whether training is over.

        Raises:
            Stopped: the run was asked to stop between two of them, or within one.
        """
        while tasks := self._tasks(history, over):  # more may be asked for meanwhile
            around = surroundings.surroundings(self._setup, history)
            for task in tasks:
                if self._setup.stopping():
                    raise Stopped(f"stopped before {task}; the run goes on from there")
                self._setup.emit(self._outcome(task, around))

    def _tasks(self, history: Sequence[LevelEnded], over: bool) -> list[Task]:
        done = Told(history, self._made | self.failed)
        return outstanding.tasks(self._setup.directory, self._setup.spec, done, over=over)

    def _outcome(self, task: Task, around: Surroundings) -> Evaluated | EvaluationFailed:
        try:
            made = self._evaluated(task, around)
        except Stopped:
            raise
        except LthError as error:
            why = str(error)
        except Exception as error:  # an evaluation must never cost the run its result
            why = f"{type(error).__name__}: {error}"
        else:
            self._made |= {task.key}
            return made
        self.failed |= {task.key}
        return EvaluationFailed(level=task.level, name=task.settings.label, error=why)

    def _evaluated(self, task: Task, around: Surroundings) -> Evaluated:
        settings = task.settings
        context = surroundings.context(around, task.level, self._setup.spec.seed)
        try:
            result: Result = load("evaluations", settings.name).evaluate(settings, context)
        except Inapplicable as error:
            return Evaluated(
                level=task.level, name=settings.label, metrics={}, inapplicable=str(error)
            )
        return keep(self._setup.directory, task.level, settings.label, result)


def keep(directory: RunDirectory, level: int, label: str, result: Result) -> Evaluated:
    """Store the files of what `label` found in a level, and say what it found.

    Those of an evaluation that was given settings lie in a folder of their own.
    """
    folder = directory.evaluations / f"{level:02d}"
    if " " in label:
        folder /= re.sub(r"[^\w.-]+", "_", label)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for file, document in result.files.items():
        (folder / file).write_text(json.dumps(document, indent=1))
        paths.append(str((folder / file).relative_to(directory.path)))
    return Evaluated(level=level, name=label, metrics=result.metrics, files=tuple(paths))
