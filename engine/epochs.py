"""The loop over a level's epochs: their batches, their results, and where they end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.errors import Diverged
from engine.sparsifier import Sparsifier
from engine.training import Tally, Training


@dataclass(frozen=True)
class EpochResult:
    """A finished epoch of a level; `epoch` counts from 1 within the level."""

    epoch: int
    loss: float
    accuracy: float
    learning_rate: float
    images_per_second: float
    last: bool


def train_level(
    training: Training,
    sparsifier: Sparsifier[Any],
    tick: Callable[[], None],
    epoch_ended: Callable[[EpochResult], None],
) -> None:
    """Train a level from its position to its end.

    Args:
        tick: called after every step; may save a checkpoint, or raise to stop.
        epoch_ended: called after every epoch with its result.

    Raises:
        Diverged: the training loss is NaN or infinite.
    """
    end, per_epoch = training.planned.end, training.steps_per_epoch
    first = training.planned.first // per_epoch
    while training.position < end or training.tally.seen:
        epoch = training.epoch
        stop = min((epoch + 1) * per_epoch, end)
        rate = training.learning_rate(epoch * per_epoch)
        _train_epoch(training, sparsifier, _batches(training, epoch), stop, tick)
        if training.ended is None:  # a checkpoint may lie between the question and its effect
            training.ended = sparsifier.stop(training)
        ended = training.ended
        epoch_ended(_result(training, epoch - first + 1, rate, last=ended or stop == end))
        training.tally, training.ended = Tally.empty(training.device), None
        if ended:
            return


def _batches(training: Training, epoch: int) -> list[Tensor]:
    """The batches of an epoch, in the order that this level and epoch always have."""
    chosen = training.examples
    count = len(training.data.train) if chosen is None else len(chosen)
    order = torch.randperm(count, generator=training.rng("order", epoch))
    if chosen is not None:
        order = chosen[order]
    size = training.spec.train.batch_size
    return [order[i * size : (i + 1) * size] for i in range(training.steps_per_epoch)]


def _train_epoch(
    training: Training,
    sparsifier: Sparsifier[Any],
    batches: list[Tensor],
    stop: int,
    tick: Callable[[], None],
) -> None:
    training.net.train()
    while training.position < stop:
        began = time.perf_counter()
        training.take_step(batches[training.position % training.steps_per_epoch], sparsifier)
        training.tally.seconds += time.perf_counter() - began
        tick()


def _result(training: Training, epoch: int, rate: float, last: bool) -> EpochResult:
    began = time.perf_counter()
    tally = training.tally
    loss = tally.loss.item() / tally.seen  # waits for the device
    tally.seconds += time.perf_counter() - began
    if not math.isfinite(loss):
        raise Diverged(
            f"the training loss became {loss} in epoch {epoch} of level {training.level.index}"
            f" (learning rate {rate:g}); lower train.optimizer.lr or add train.warmup"
        )
    accuracy = tally.correct.item() / tally.seen
    speed = tally.seen / max(tally.seconds, 1e-9)
    return EpochResult(epoch, loss, accuracy, rate, speed, last)
