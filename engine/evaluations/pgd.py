"""Accuracy under projected gradient descent (Madry et al. 2018), in pixel space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from engine.context import Context, Result
from engine.evaluations import _attacks, _samples
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


class Settings(_attacks.AttackSettings):
    """How far pixels may be moved, and how; as Madry et al. attack CIFAR-10."""

    images: _samples.Most = 1000
    steps: int = Field(20, ge=1, le=1000, description="steps of the attack")
    step: float = Field(
        0.25, gt=0, le=2, description="how far one step moves a pixel, as a share of epsilon"
    )


def evaluate(settings: Settings, context: Context) -> Result:
    """Steps uphill from a random point near each test image, which depends on its id alone."""
    from engine.adversarial import ascended

    def attack(
        x: Tensor, objective: _attacks.Objective, ids: tuple[str, ...], epsilon: float
    ) -> Tensor:
        draws = [torch.rand(x.shape[1:], generator=context.rng("pgd", name)) for name in ids]
        start = torch.stack(draws).mul_(2).sub_(1).mul_(epsilon).to(x.device)
        return ascended(x, objective, start, epsilon, settings.step * epsilon, settings.steps)

    return _attacks.accuracies(settings, context, attack)
