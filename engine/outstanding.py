"""Evaluations that a run has yet to make: of those its spec lists, and those asked for later.

evaluate.json holds the latter. Any client writes it, under the lock of the queue; a worker reads it
when training is over, and whenever it is started on a run that has finished.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine import retention
from engine.choice import Choice
from engine.evaluationspec import EvaluationSettings
from engine.events import Evaluated, EvaluationFailed, EvaluationStarted, Event, LevelEnded, Tail
from engine.rundir import RunDirectory, write_json
from engine.sources import TICKET
from engine.spec import RunSpec

FILE = "evaluate.json"
_PICKED = ("best", "last")  # words that mean nothing before a run is over


@dataclass(frozen=True)
class Task:
    """One evaluation of one ticket."""

    level: int
    settings: EvaluationSettings

    @property
    def key(self) -> tuple[int, str]:
        """What tells it from others of the run."""
        return self.level, self.settings.label

    def __str__(self) -> str:
        return f"{self.settings.label} of level {self.level}"


@dataclass(frozen=True)
class Told:
    """What a run's journal tells.

    Attributes:
        history: what every level ended with, in order.
        made: what was evaluated.
        failed: what could not be, and has not been since.
        cut: what was begun by a worker that was gone before it was made or had failed.
    """

    history: Sequence[LevelEnded]
    made: frozenset[tuple[int, str]]
    failed: frozenset[tuple[int, str]] = frozenset()
    cut: frozenset[tuple[int, str]] = frozenset()


def tasks(
    directory: RunDirectory,
    spec: RunSpec,
    told: Told,
    *,
    over: bool = True,
    more: Iterable[EvaluationSettings] = (),
) -> list[Task]:
    """What has yet to be made, by level; of tickets alone whose weights are there.

    Args:
        over: whether training is over, so that it is known which level is the best and the last.
        more: evaluations that may be asked for besides.
    """
    found = [
        Task(level, settings)
        for settings in (*spec.evaluate, *asked(directory), *more)
        for word in settings.levels
        if over or word not in _PICKED
        for level in retention.named(word, spec.select, told.history)
    ]
    left = {
        task.key: task
        for task in found
        if task.key not in told.made and (directory.level(task.level) / TICKET).is_file()
    }
    return sorted(left.values(), key=lambda task: task.level)


def left(
    directory: RunDirectory, spec: RunSpec, more: Iterable[EvaluationSettings] = ()
) -> list[Task]:
    """What a finished run has yet to make. Reads its journal only if anything is asked for."""
    if not (spec.evaluate or more or (directory.path / FILE).exists()):
        return []
    return tasks(directory, spec, told(directory), more=more)


def unreached(directory: RunDirectory, spec: RunSpec) -> list[Task]:
    """What a finished run has yet to make, and nobody has tried in vain."""
    tasks = left(directory, spec)
    failed = told(directory).failed if tasks else ()
    return [task for task in tasks if task.key not in failed]


def asked(directory: RunDirectory) -> tuple[EvaluationSettings, ...]:
    """What was asked for later; what another version of lthtui asked for is left to that."""
    found = list[EvaluationSettings]()
    for listed in _listed(directory):
        try:
            settings = Choice("evaluations").resolve(listed)
        except ValueError:
            continue
        assert isinstance(settings, EvaluationSettings)
        found.append(settings)
    return tuple(found)


def ask(directory: RunDirectory, settings: Iterable[EvaluationSettings]) -> None:
    """Add to what is asked for; the caller holds the lock of the queue.

    Raises:
        OSError: it cannot be written; then nothing has changed.
    """
    before = _listed(directory)
    new = [one.model_dump(mode="json") for one in settings]
    if more := [one for one in new if one not in before]:
        write_json(directory.path / FILE, [*before, *more])


def told(directory: RunDirectory) -> Told:
    """Read a run's journal."""
    tail = Tail(directory.events_file)
    ended = dict[int, LevelEnded]()
    outcomes = dict[tuple[int, str], type[Event]]()  # of each evaluation the last
    for line in tail.lines():
        if b'"level_ended"' not in line and b'"evaluat' not in line:
            continue
        match event := tail.event(line):
            case LevelEnded():
                ended[event.level or 0] = event
            case Evaluated() | EvaluationFailed() | EvaluationStarted():
                outcomes[event.level or 0, event.name] = type(event)
    kinds = Evaluated, EvaluationFailed, EvaluationStarted
    made, failed, cut = (frozenset(k for k, v in outcomes.items() if v is one) for one in kinds)
    return Told([ended[level] for level in sorted(ended)], made, failed, cut)


def _listed(directory: RunDirectory) -> list[object]:
    try:
        listed = json.loads((directory.path / FILE).read_bytes())
    except (OSError, ValueError):
        return []
    return listed if isinstance(listed, list) else []
