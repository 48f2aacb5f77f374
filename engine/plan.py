"""What a run will do, before any tensor exists: its levels, their densities and their steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engine import registry
from engine.durations import Duration
from engine.errors import SpecError
from engine.spec import RunSpec


@dataclass(frozen=True)
class Level:
    """One training under one mask. Level 0 is the first, at whatever density.

    Attributes:
        index: its number, from 0.
        density: nominal kept fraction of the prunable weights at its end; None where only training
            will tell.
        start: the point of level 0 whose weights it starts from; None to go on with the weights
            that the level before ended with.
        at: where in the learning-rate schedule it begins.
        lasts: `rest` to the schedule's end, `whole` for as many epochs as the schedule has, or so
            long.
        learning_rate: from the schedule, or constant at the schedule's last value above zero.
        rate: fraction of the kept weights to prune after it, where the method prunes by rate.
        target: density to prune to after it, where the method prunes to a density.
        search: whether it is only a search on the way to the ticket, which may stop early: it is no
            dense baseline, and nothing to pick unless it is named.
        draws: the level whose random numbers it draws (order, augmentation, dropout) in place of
            its own; with those, a ticket's training can be repeated exactly.
    """

    index: int
    density: float | None
    start: Duration | None = Duration()
    at: Duration = Duration()
    lasts: Duration | Literal["rest", "whole"] = "whole"
    learning_rate: Literal["schedule", "last"] = "schedule"
    rate: float | None = None
    target: float | None = None
    search: bool = False
    draws: int | None = None

    @property
    def stream(self) -> int:
        """The level whose random numbers it draws."""
        return self.index if self.draws is None else self.draws


@dataclass(frozen=True)
class Planned:
    """A level in steps: it trains schedule positions `first` (inclusive) to `end` (exclusive)."""

    level: Level
    first: int
    end: int

    @property
    def steps(self) -> int:
        """Number of optimizer steps."""
        return self.end - self.first


@dataclass(frozen=True)
class Plan:
    """All levels of a run, for epochs over all its training images.

    Attributes:
        notes: what the user should know of the method beside the numbers.
    """

    levels: tuple[Planned, ...]
    steps_per_epoch: int
    notes: tuple[str, ...] = ()

    @property
    def rewinds(self) -> tuple[Duration, ...]:
        """The points of level 0 whose weights later levels start from."""
        starts = (planned.level.start for planned in self.levels[1:])
        return tuple(dict.fromkeys(start for start in starts if start is not None))

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return sum(planned.steps for planned in self.levels)

    @property
    def epochs(self) -> float:
        """Passes over the training images of the whole run."""
        return self.steps / self.steps_per_epoch


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Batches in an epoch: the last may be smaller, but one of a single image is dropped.

    A batch of one image has no variance, so batch normalisation cannot train on it.
    """
    batches, rest = divmod(images, batch_size)
    return batches + (rest > 1)


def plan(spec: RunSpec, images: int) -> Plan:
    """Lay out the levels of a run that trains on `images` images.

    Raises:
        SpecError: the levels cannot be trained as asked, such as a rewind point beyond the end of
            training; `at` names the field.
    """
    per_epoch = steps_per_epoch(images, spec.train.batch_size)
    if per_epoch == 0:
        raise SpecError(f"{images} training image(s) make no batch; at least 2 are needed", "data")
    module = registry.load("sparsifiers", spec.sparsifier.name)
    sparsifier = module.Sparsifier(spec.sparsifier)
    levels: Sequence[Level] = sparsifier.levels()
    epochs = spec.train.whole.epochs
    _check(spec, levels, per_epoch, epochs * per_epoch)
    planned = tuple(in_steps(level, per_epoch, epochs) for level in levels)
    laid_out = Plan(planned, per_epoch)
    sparsifier.check(spec, laid_out)
    return replace(laid_out, notes=tuple(sparsifier.notes(spec, laid_out)))


def in_steps(level: Level, per_epoch: int, epochs: int) -> Planned:
    """Turn a level's durations into schedule positions, for epochs of `per_epoch` steps."""
    whole = epochs * per_epoch
    first = level.at.in_steps(per_epoch)
    if level.lasts == "rest":
        return Planned(level, first, whole)
    if level.lasts == "whole":
        return Planned(level, first, first + whole)
    return Planned(level, first, first + level.lasts.in_steps(per_epoch))


def _check(spec: RunSpec, levels: Sequence[Level], per_epoch: int, whole: int) -> None:
    asked = "rewind" in spec.sparsifier.model_fields_set
    for level in levels:
        for point in (level.start, level.at):
            if point is not None and point.in_steps(per_epoch) >= whole:
                raise SpecError(
                    f"rewind {point} lies at or beyond the end of training: {whole // per_epoch}"
                    f" epochs of {per_epoch} steps are {whole} steps",
                    "sparsifier.rewind" if asked else "train.epochs",
                )
        if isinstance(level.lasts, Duration) and not level.lasts.in_steps(per_epoch):
            raise SpecError("fine-tuning must last at least one step", "sparsifier.finetune")
    if spec.train.whole.warmup.in_steps(per_epoch) >= whole:
        raise SpecError(f"warmup {spec.train.warmup} takes the whole training", "train.warmup")
    if isinstance(spec.select.level, int) and spec.select.level >= len(levels):
        raise SpecError(
            f"select.level is {spec.select.level}, but the run has levels 0 to {len(levels) - 1}",
            "select.level",
        )
