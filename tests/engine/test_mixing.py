"""The objective of images that are mixed of two."""

from __future__ import annotations

import pytest
import torch

from engine import registry
from engine.mixing import Mix, mixed_loss

ALONE = [
    name
    for name in registry.names("losses")
    if not hasattr(registry.load("losses", name), "VIEWS")  # which compare images of a batch
]
LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
TARGETS = torch.tensor([0, 3, 2, 3, 1, 0])
MIX = Mix(torch.tensor([2, 0, 1, 3, 5, 4]), torch.tensor([0.0, 0.25, 1.0, 0.5, 0.9, 0.125]))


@pytest.mark.parametrize("name", ALONE)
def test_each_target_counts_by_its_share(name: str) -> None:
    module = registry.load("losses", name)
    settings = module.Settings()

    def loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = module.loss(settings, logits, targets)
        return value

    logits = LOGITS.clone().requires_grad_()
    made = mixed_loss(loss, logits, TARGETS, MIX)
    (gradient,) = torch.autograd.grad(made, logits)
    by_hand = torch.stack(
        [
            MIX.share[i] * loss(logits[i : i + 1], TARGETS[i : i + 1])
            + (1 - MIX.share[i]) * loss(logits[i : i + 1], TARGETS[MIX.partner[i]].view(1))
            for i in range(6)
        ]
    ).mean()
    torch.testing.assert_close(made, by_hand)
    torch.testing.assert_close(gradient, torch.autograd.grad(by_hand, logits)[0])


def test_without_a_mix_it_is_the_loss_itself() -> None:
    loss = torch.nn.functional.cross_entropy
    assert mixed_loss(loss, LOGITS, TARGETS, None) == loss(LOGITS, TARGETS)
