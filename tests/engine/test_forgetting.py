"""Forgetting events, counted while predictions stream in, against counts by hand."""

from __future__ import annotations

import random

import pytest
import torch

from engine.forgetting import NEVER_LEARNED, NOT_SHOWN, Memory

CPU = torch.device("cpu")


def _counts(histories: list[list[int]]) -> list[int]:
    """Show each image its history; -1 is an epoch in which it is not shown."""
    memory = Memory.empty(len(histories), CPU)
    for epoch in zip(*histories, strict=True):
        ids = [i for i, right in enumerate(epoch) if right >= 0]
        right = torch.tensor([epoch[i] == 1 for i in ids], dtype=torch.bool)
        memory.record(torch.tensor(ids, dtype=torch.int64), right)
    return memory.counts().tolist()


@pytest.mark.parametrize(
    ("history", "events"),
    [
        ([0, 1, 1, 0, 1], 1),
        ([1, 0, 1, 0, 1, 0], 3),
        ([0, 0, 0], NEVER_LEARNED),
        ([-1, -1, -1], NOT_SHOWN),
        ([1, 1, 1], 0),
        ([0, 0, 1], 0),
        ([1, 0, 0, 0], 1),
        ([1, -1, 0], 1),
        ([0, -1, -1], NEVER_LEARNED),
    ],
)
def test_events_of_one_image(history: list[int], events: int) -> None:
    assert _counts([history]) == [events]


def test_many_images_in_any_order_equal_a_loop_over_each() -> None:
    rng = random.Random(5)
    histories = [[rng.choice([-1, 0, 1]) for _ in range(9)] for _ in range(200)]
    memory = Memory.empty(len(histories), CPU)
    for epoch in range(9):
        order = rng.sample(range(200), 200)
        for batch in (order[:70], order[70:]):
            ids = [i for i in batch if histories[i][epoch] >= 0]
            right = torch.tensor([histories[i][epoch] == 1 for i in ids])
            memory.record(torch.tensor(ids), right)
    wanted = []
    for history in histories:
        shown = [right for right in history if right >= 0]
        events = sum(a == 1 and b == 0 for a, b in zip(shown, shown[1:], strict=False))
        wanted.append(NOT_SHOWN if not shown else events if 1 in shown else NEVER_LEARNED)
    assert memory.counts().tolist() == wanted
    assert len(set(wanted)) > 4
