"""A run as its journal tells it: events folded, one after another, into a read model."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field

from engine import schema
from engine.events import (
    EpochEnded,
    Evaluated,
    EvaluationFailed,
    EvaluationStarted,
    Event,
    LevelEnded,
    LevelStarted,
    MaskChanged,
    RunEnded,
    RunStarted,
    TicketSaved,
    Warned,
    Winning,
)


@dataclass
class LevelProgress:
    """One level as far as the journal tells. Accuracies are fractions of 1, times in seconds.

    The curve lists run in parallel, one item per epoch of the level; `val_accuracies` and
    `val_losses` hold None where the epoch was not evaluated.

    Attributes:
        planned: epochs that it is to train.
        epochs: epochs that it has trained.
        ended: whether it is trained, saved and scored.
        search: whether it was only a search on the way to the ticket.
        bytes: size of the ticket when it was saved.
        inference_flops: operations for one image through its ticket; `training_flops` those of
            its training.
        device_seconds, joules: as of `engine.metering.Taken`.
    """

    level: int
    density: float
    kept: int
    total: int
    planned: int = 0
    epochs: int = 0
    ended: bool = False
    search: bool = False
    val_accuracy: float | None = None
    test_accuracy: float | None = None
    val_balanced_accuracy: float | None = None
    test_balanced_accuracy: float | None = None
    seconds: float | None = None
    inference_flops: float | None = None
    training_flops: float | None = None
    device_seconds: float | None = None
    joules: float | None = None
    ticket: str | None = None
    bytes: int | None = None
    train_losses: list[float] = field(default_factory=list)
    train_accuracies: list[float] = field(default_factory=list)
    val_losses: list[float | None] = field(default_factory=list)
    val_accuracies: list[float | None] = field(default_factory=list)

    @property
    def sparsity(self) -> float:
        """Pruned fraction of the prunable weights."""
        return 1.0 - self.density


@dataclass
class RunProgress:
    """A run as far as its journal tells; only `apply` changes it.

    Attributes:
        planned_levels, planned_epochs: of the whole run, as planned when it started.
        level, level_epoch, epoch, step: where it is; epoch and step count the whole run.
        time: of the newest event (seconds since 1970); 0 before the first.
        started: when its first attempt started.
        flops: operations for one image through the network without a mask.
        evaluations: by level and name, the newest of each, of the level's newest ticket.
        evaluating: level and name of the evaluation that was begun last, until it was made.
        unevaluated: by level and name, why an evaluation could not be made, if it has not since.
        warning, error: the newest, as written by the worker.
        ended, ended_attempt: how the newest attempt ended, by its own word; None while it has not.
    """

    levels: dict[int, LevelProgress] = field(default_factory=dict)
    planned_levels: int = 0
    planned_epochs: int = 0
    steps_per_epoch: int = 0
    attempt: int = 0
    level: int | None = None
    level_epoch: int = 0
    epoch: int = 0
    step: int = 0
    train_loss: float | None = None
    val_accuracy: float | None = None
    images_per_second: float | None = None
    time: float = 0.0
    started: float = 0.0
    flops: float | None = None
    images: dict[str, int] = field(default_factory=dict)
    evaluations: dict[tuple[int, str], Evaluated] = field(default_factory=dict)
    evaluating: tuple[int, str] | None = None
    unevaluated: dict[tuple[int, str], str] = field(default_factory=dict)
    warning: str | None = None
    error: str | None = None
    ended: str | None = None
    ended_attempt: int = 0
    winning: Winning | None = None
    # by metric: the highest step, the value there, the smallest and the largest that is a number
    _figures: dict[str, list[float]] = field(default_factory=dict)
    _began: tuple[float, int] = (0.0, 0)  # time and epoch at which the newest attempt started
    _latest: tuple[float, int] = (0.0, 0)  # the same of its newest epoch's end

    def apply(self, event: Event) -> None:
        """Take in the journal's next event; unknown kinds change nothing but the time."""
        self.time = event.time or self.time
        self.step = event.step if event.step is not None else self.step
        self._measured(event)
        match event:
            case RunStarted():
                self._run_started(event)
            case LevelStarted():
                self._level_started(event)
            case EpochEnded():
                self._epoch_ended(event)
            case MaskChanged() if event.level in self.levels:
                self.levels[event.level].density = event.density
                self.levels[event.level].kept = event.kept
            case LevelEnded():
                self._level_ended(event)
            case TicketSaved():
                self._ticket_saved(event)
            case EvaluationStarted():
                self.evaluating = event.level or 0, event.name
            case Evaluated():
                self.evaluating = None
                self._forget(event)
                self.evaluations[event.level or 0, event.name] = event
                self.unevaluated.pop((event.level or 0, event.name), None)
            case EvaluationFailed():
                self.evaluating = None
                self.unevaluated[event.level or 0, event.name] = event.error
            case Warned():
                self.warning = event.message
            case RunEnded():
                self.ended, self.ended_attempt = event.status, event.attempt
                self.error, self.winning = event.error, event.winning

    @property
    def finished_levels(self) -> list[LevelProgress]:
        """Levels that are trained and scored, in order."""
        return [self.levels[index] for index in sorted(self.levels) if self.levels[index].ended]

    @property
    def metrics(self) -> dict[str, float]:
        """The newest value of each metric by its name in MLflow, that of the highest step."""
        return {key: figures[1] for key, figures in self._figures.items()}

    @property
    def extremes(self) -> dict[str, tuple[float, float]]:
        """The smallest and the largest value of each metric that has been a number."""
        known = ((key, least, most) for key, (_, _, least, most) in self._figures.items())
        return {key: (least, most) for key, least, most in known if least <= most}

    @property
    def seconds_per_epoch(self) -> float | None:
        """Measured over the newest attempt; None before its first epoch has ended."""
        seconds, epochs = (
            end - start for end, start in zip(self._latest, self._began, strict=True)
        )
        return seconds / epochs if epochs > 0 and seconds > 0 else None

    @property
    def eta(self) -> float | None:
        """Seconds from the newest event until all planned epochs are trained."""
        pace = self.seconds_per_epoch
        return None if pace is None else pace * max(0, self.planned_epochs - self.epoch)

    def _measured(self, event: Event) -> None:
        """Take in the metrics that MLflow gets of an event."""
        if not (found := schema.metrics_of(event)):
            return
        step = schema.step_of(event)
        for key, value in found.items():
            figures = self._figures.get(key)
            if figures is None:
                figures = self._figures[sys.intern(key)] = [step, value, math.inf, -math.inf]
            if step >= figures[0]:
                figures[:2] = step, value
            if value < figures[2]:  # NaN is not
                figures[2] = value
            if value > figures[3]:
                figures[3] = value

    def _ticket_saved(self, event: TicketSaved) -> None:
        self._forget(event)
        if event.level in self.levels:
            level = self.levels[event.level]
            level.ticket, level.bytes = event.path, event.bytes

    def _forget(self, event: TicketSaved | Evaluated) -> None:
        """Drop what was found of a ticket in whose place there is another."""
        known = self.evaluations.items()
        self.evaluations = {key: one for key, one in known if not one.outdated(event)}

    def _run_started(self, event: RunStarted) -> None:
        self.planned_levels, self.planned_epochs = event.levels, event.epochs
        self.steps_per_epoch, self.images = event.steps_per_epoch, event.images
        self.attempt, self.flops = event.attempt, event.flops
        self.started = self.started or event.time
        self._began = self._latest = (event.time, self.epoch)
        self.ended = self.error = None

    def _level_started(self, event: LevelStarted) -> None:
        index = event.level or 0
        self.level, self.level_epoch = index, 0
        self.levels[index] = LevelProgress(
            index, event.density, event.kept, event.total, planned=event.epochs
        )

    def _epoch_ended(self, event: EpochEnded) -> None:
        index = event.level or 0
        self.level, self.level_epoch = index, event.level_epoch
        self.epoch = event.epoch if event.epoch is not None else self.epoch
        if event.time < self._began[0]:  # taken over from another run
            self._began = (self._began[0], self.epoch)
        self._latest = (event.time, self.epoch)
        self.train_loss, self.images_per_second = event.train_loss, event.images_per_second
        if event.val_accuracy is not None:
            self.val_accuracy = event.val_accuracy
        level = self.levels.get(index)
        if level:
            level.epochs = event.level_epoch
            level.train_losses.append(event.train_loss)
            level.train_accuracies.append(event.train_accuracy)
            level.val_losses.append(event.val_loss)
            level.val_accuracies.append(event.val_accuracy)

    def _level_ended(self, event: LevelEnded) -> None:
        index = event.level or 0
        self.level = index
        level = self.levels.setdefault(
            index, LevelProgress(index, event.density, event.kept, event.total)
        )
        level.density, level.kept, level.total = event.density, event.kept, event.total
        level.epochs, level.seconds, level.ended = event.epochs, event.seconds, True
        level.val_accuracy, level.test_accuracy = event.val_accuracy, event.test_accuracy
        level.val_balanced_accuracy = event.val_balanced_accuracy
        level.test_balanced_accuracy = event.test_balanced_accuracy
        level.inference_flops = event.inference_flops
        level.training_flops = event.training_flops
        level.device_seconds, level.joules = event.device_seconds, event.joules
        level.search = event.search
