"""Cross-entropy against its formula."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError

from engine.losses.cross_entropy import Settings, loss


def test_by_hand():
    # softmax of (0, ln 3) is (1/4, 3/4)
    logits = torch.tensor([[0.0, math.log(3)], [0.0, math.log(3)]])
    value = loss(Settings(), logits, torch.tensor([0, 1]))
    assert value.item() == pytest.approx((math.log(4) + math.log(4 / 3)) / 2)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_smoothing_mixes_the_mean_over_all_classes(smoothing):
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    targets = torch.tensor([0, 1, 2, 3, 4, 0])
    logs = logits - logits.exp().sum(1, keepdim=True).log()
    right = -logs[range(6), targets].mean()
    expected = smoothing * -logs.mean() + (1 - smoothing) * right
    torch.testing.assert_close(loss(Settings(smoothing=smoothing), logits, targets), expected)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan")])
def test_smoothing_is_a_share_below_one(smoothing):
    with pytest.raises(ValidationError, match="smoothing"):
        Settings(smoothing=smoothing)
