"""What a weight is worth at the end of a training: by its size, or by how the training used it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    from engine.training import Training

Kind = Literal["magnitude", "movement", "taylor", "random"]


class Scores:
    """Scores of the prunable weights in one level; g is the gradient of a step, w the weight.

    - magnitude: |w| at the end (Han et al. 2015).
    - movement: the sum over steps of -learning rate * g * w, high where weights grew away from zero
      (Sanh et al. 2020).
    - taylor: the sum over steps of (g * w)^2, the squared change of the loss that pruning would
      make at first order (Molchanov et al. 2019).
    - random: drawn anew in each level.

    Attributes:
        sums: by name, what the level's steps add up to so far.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.sums: dict[str, Tensor] = {}

    def add(self, training: Training) -> None:
        """Take a step's gradients into account, before the optimizer uses them."""
        if self.kind not in ("movement", "taylor"):
            return
        weights = training.prunable()
        if not self.sums:
            self.sums = {name: torch.zeros_like(p) for name, p in weights.items()}
        sums = [self.sums[name] for name in weights]
        with torch.no_grad():
            at = [p.detach() for p in weights.values()]
            slopes = [p.grad for p in weights.values() if p.grad is not None]
            if self.kind == "movement":
                rate = training.learning_rate(training.position)
                torch._foreach_addcmul_(sums, slopes, at, value=-rate)
            else:
                changes = torch._foreach_mul(slopes, at)
                torch._foreach_addcmul_(sums, changes, changes)

    def of(self, training: Training) -> dict[str, Tensor]:
        """The scores of a level that has ended."""
        weights = training.prunable()
        if self.kind == "magnitude":
            return {name: p.detach().abs() for name, p in weights.items()}
        if self.kind == "random":
            rng = training.rng("mask")
            drawn = {name: torch.rand(p.shape, generator=rng) for name, p in weights.items()}
            return {name: score.to(training.device) for name, score in drawn.items()}
        return dict(self.sums)

    def load(self, sums: dict[str, Tensor], training: Training) -> None:
        """Go on from `sums`, which may lie on another device."""
        weights = training.prunable()
        self.sums = {name: torch.empty_like(weights[name]).copy_(s) for name, s in sums.items()}
