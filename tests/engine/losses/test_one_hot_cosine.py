"""The cosine loss against torch's own, and by hand."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from engine.losses.one_hot_cosine import Settings, loss

TARGETS = torch.tensor([0, 3, 2, 3, 1])


def logits():
    return torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_by_hand():
    value = loss(Settings(), torch.tensor([[3.0, 4.0], [0.0, -2.0]]), torch.tensor([0, 1]))
    assert value.item() == pytest.approx((1 - 0.6 + 1 + 1) / 2)


@pytest.mark.parametrize("weight", [0.0, 0.1, 1.0])
def test_as_torchs_cosine_embedding_beside_cross_entropy(weight):
    one_hot = functional.one_hot(TARGETS, 4).double()
    cosine = functional.cosine_embedding_loss(logits(), one_hot, torch.ones(5))
    expected = cosine + weight * functional.cross_entropy(logits(), TARGETS)
    torch.testing.assert_close(loss(Settings(cross_entropy=weight), logits(), TARGETS), expected)
