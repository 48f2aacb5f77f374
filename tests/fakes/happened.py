"""Events of a run of two levels as its worker writes them, an epoch every ten seconds."""

from __future__ import annotations

from engine.events import (
    EpochEnded,
    LevelEnded,
    LevelStarted,
    RunEnded,
    RunStarted,
    TicketSaved,
    Winning,
)


def started(at=100.0, attempt=1):
    return RunStarted(
        time=at,
        attempt=attempt,
        levels=2,
        epochs=4,
        steps_per_epoch=5,
        images={"train": 10},
        subset="x",
        parameters=9,
        prunable=8,
        flops=1000.0,
        environment={},
    )


def level_started(level, density=1.0, at=100.0):
    return LevelStarted(
        time=at, level=level, density=density, kept=round(8 * density), total=8, epochs=2, steps=10
    )


def epoch(number, level=0, at=None, val=None, **more):
    return EpochEnded(
        time=100.0 + 10 * number if at is None else at,
        level=level,
        epoch=number,
        step=5 * number,
        level_epoch=number - 2 * level,
        train_loss=1.0 / number,
        train_accuracy=0.5,
        learning_rate=0.1,
        images_per_second=77.0,
        val_accuracy=val,
        **more,
    )


def level_ended(level, density=1.0, val=0.5, test=0.25):
    return LevelEnded(
        level=level,
        density=density,
        kept=round(8 * density),
        total=8,
        epochs=2,
        seconds=20.0,
        val_accuracy=val,
        test_accuracy=test,
        inference_flops=1000.0 * density,
        training_flops=6e6 * density,
    )


def ticket(level):
    path = f"levels/{level:02d}/ticket.safetensors"
    return TicketSaved(level=level, density=1.0, kept=8, total=8, sha256="0", path=path, bytes=1)


WON = Winning(
    level=1,
    density=0.5,
    val_accuracy=0.75,
    test_accuracy=0.5,
    ticket="levels/01/ticket.safetensors",
    beats_dense=True,
)
WHOLE = [
    started(),
    level_started(0),
    epoch(1),
    epoch(2, val=0.5),
    level_ended(0),
    ticket(0),
    level_started(1, 0.5, at=120.0),
    epoch(3, level=1),
    epoch(4, level=1, val=0.75),
    level_ended(1, 0.5, val=0.75, test=0.5),
    ticket(1),
    RunEnded(status="finished", winning=WON),
]
