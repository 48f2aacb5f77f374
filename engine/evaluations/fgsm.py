"""Accuracy under the fast gradient sign method (Goodfellow et al. 2015), in pixel space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.context import Context, Result
from engine.evaluations import _attacks

if TYPE_CHECKING:
    from torch import Tensor


class Settings(_attacks.AttackSettings):
    """How far pixels may be moved; 8 as in Figure 9 of the data-efficient tickets paper."""


def evaluate(settings: Settings, context: Context) -> Result:
    """One step of epsilon uphill from each test image."""
    from engine.adversarial import ascended

    def attack(
        x: Tensor, objective: _attacks.Objective, ids: tuple[str, ...], epsilon: float
    ) -> Tensor:
        return ascended(x, objective, x.new_zeros(()), epsilon, step=epsilon, steps=1)

    return _attacks.accuracies(settings, context, attack)
