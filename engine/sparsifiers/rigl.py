"""RigL (Evci et al. 2020): drop the least weights, grow where one batch's gradients are largest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.sparsifiers import _dynamic

if TYPE_CHECKING:
    from engine.lazy import torch
    from engine.training import Training


class Settings(_dynamic.DynamicSettings):
    """How much is exchanged, where and when.

    With `redistribute: gradient` this is RigL-SG, with `momentum` RigL-SM of RigL's reproduction.
    """


class Sparsifier(_dynamic.Dynamic[Settings]):
    """Growth where the gradient of the update's batch is largest."""

    scores_gradients = True

    def grow_scores(
        self, training: Training, gradients: _dynamic.Tensors, rng: torch.Generator
    ) -> _dynamic.Tensors:
        return gradients
