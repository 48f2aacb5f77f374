"""Evaluations that a run has yet to make: of those its spec lists, and those asked for later.

evaluate.json holds the latter. Any client writes it, under the lock of the queue; a worker reads it
when training is over, and whenever it is started on a run that has finished.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine import retention
from engine.cards import read_card
from engine.choice import Choice
from engine.errors import Damaged
from engine.evaluationspec import EvaluationSettings
from engine.events import Evaluated, EvaluationFailed, EvaluationStarted, LevelEnded, Tail
from engine.rundir import RunDirectory, write_json
from engine.sources import TICKET, found_in
from engine.spec import RunSpec

FILE = "evaluate.json"
_PICKED = ("best", "last")  # words that mean nothing before a run is over
Key = tuple[int, str]


@dataclass(frozen=True)
class Task:
    """One evaluation of one ticket."""

    level: int
    settings: EvaluationSettings

    @property
    def key(self) -> Key:
        """What tells it from others of the run."""
        return self.level, self.settings.label

    def tickets(self, own: str) -> tuple[str, ...]:
        """The checksums of the tickets that it is of, of which `own` is its level's."""
        return own, *(source.sha256 for _, source in found_in(self.settings))

    def __str__(self) -> str:
        return f"{self.settings.label} of level {self.level}"


@dataclass(frozen=True)
class Told:
    """What a run's journal tells.

    Attributes:
        history: what every level ended with, in order.
        made: what was evaluated, and of tickets with which checksums; none where nothing says so.
        failed: what could not be, and has not been since.
        cut: what was begun by a worker that was gone before it was made or had failed.
    """

    history: Sequence[LevelEnded]
    made: Mapping[Key, tuple[str, ...]]
    failed: frozenset[Key] = frozenset()
    cut: frozenset[Key] = frozenset()


def tasks(
    directory: RunDirectory,
    spec: RunSpec,
    told: Told,
    *,
    over: bool = True,
    more: Iterable[EvaluationSettings] = (),
) -> list[Task]:
    """What has yet to be made, by level: also anew, of a ticket that was replaced since.

    Words that mean several tickets mean those whose weights are there.

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
        if word in _PICKED or isinstance(word, int) or (directory.level(level) / TICKET).is_file()
    ]
    newest = {task.key: task for task in found}  # the same name may mean another ticket by now
    left = [task for task in newest.values() if not _made(directory, task, told)]
    return sorted(left, key=lambda task: task.level)


def left(
    directory: RunDirectory, spec: RunSpec, more: Iterable[EvaluationSettings] = ()
) -> list[Task]:
    """What a finished run has yet to make. Reads its journal only if anything is asked for."""
    if not (spec.evaluate or more or (directory.path / FILE).exists()):
        return []
    return tasks(directory, spec, told(directory), more=more)


def unkept(directory: RunDirectory, level: int) -> str:
    """That the weights of a level are not there, and what to do."""
    kept = sorted(path.parent.name for path in directory.levels.glob(f"[0-9]*/{TICKET}"))
    return (
        f"{directory.run_id} has not kept the weights of level {level}; kept:"
        f" {', '.join(str(int(one)) for one in kept) or 'none'}; name one of these with --level, or"
        " run it again with keep: [all] and --again"
    )


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
    after = [*(one for one in before if one not in new), *new]
    if after != before:
        write_json(directory.path / FILE, after)


def told(directory: RunDirectory) -> Told:
    """Read a run's journal."""
    tail = Tail(directory.events_file)
    ended = dict[int, LevelEnded]()
    outcomes = dict[Key, Evaluated | EvaluationFailed | EvaluationStarted]()  # of each the last
    for line in tail.lines():
        if b'"level_ended"' not in line and b'"evaluat' not in line:
            continue
        match event := tail.event(line):
            case LevelEnded():
                ended[event.level or 0] = event
            case Evaluated() | EvaluationFailed() | EvaluationStarted():
                outcomes[event.level or 0, event.name] = event
    made = {key: one.tickets for key, one in outcomes.items() if isinstance(one, Evaluated)}
    failed, cut = (
        frozenset(key for key, one in outcomes.items() if isinstance(one, kind))
        for kind in (EvaluationFailed, EvaluationStarted)
    )
    return Told([ended[level] for level in sorted(ended)], made, failed, cut)


def _made(directory: RunDirectory, task: Task, told: Told) -> bool:
    """Whether there is a result of the very tickets that are there, as far as that is known."""
    of = told.made.get(task.key)
    ticket = directory.level(task.level) / TICKET
    if not of or not ticket.is_file():
        return of is not None
    try:
        return of == task.tickets(read_card(ticket)["sha256"])
    except Damaged:
        return False


def _listed(directory: RunDirectory) -> list[object]:
    try:
        listed = json.loads((directory.path / FILE).read_bytes())
    except (OSError, ValueError):
        return []
    return listed if isinstance(listed, list) else []
