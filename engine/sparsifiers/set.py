"""Sparse evolutionary training (Mocanu et al. 2018): drop the least weights, grow random ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.lazy import torch
from engine.sparsifiers import _dynamic

if TYPE_CHECKING:
    from engine.training import Training


class Settings(_dynamic.DynamicSettings):
    """How much is exchanged, where and when.

    As RigL's defaults, so that both compare. Mocanu et al. have `allocation: er`, `at: after`,
    `interval: 1ep`, `drop_schedule: constant` and `stop: 1.0`.
    """


class Sparsifier(_dynamic.Dynamic[Settings]):
    """Growth at random."""

    def grow_scores(
        self, training: Training, gradients: _dynamic.Tensors, rng: torch.Generator
    ) -> _dynamic.Tensors:
        device = training.device
        weights = training.prunable()
        return {n: torch.rand(p.shape, generator=rng).to(device) for n, p in weights.items()}
