"""The objective of images that are mixed of two."""

from __future__ import annotations

import pytest
import torch

from engine import registry
from engine.mixing import Mix, mixed_targets

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
    made = loss(logits, mixed_targets(TARGETS, MIX, 4))
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


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_an_image_that_is_wholly_its_own_is_as_one_that_is_not_mixed(
    name: str, kind: torch.dtype
) -> None:
    module = registry.load("losses", name)
    settings, logits = module.Settings(), LOGITS.to(kind)
    whole = mixed_targets(TARGETS, Mix(MIX.partner, torch.ones(6)), 4)
    assert whole.dtype == torch.float32 and torch.equal(whole.argmax(1), TARGETS)
    plain = module.loss(settings, logits, TARGETS)
    torch.testing.assert_close(module.loss(settings, logits, whole), plain)
