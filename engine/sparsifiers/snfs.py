"""Sparse networks from scratch (Dettmers & Zettlemoyer 2019): grow and share by momentum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from engine.sparsifiers import _dynamic

if TYPE_CHECKING:
    from engine.lazy import torch
    from engine.training import Training


class Settings(_dynamic.DynamicSettings):
    """How much is exchanged, where and when."""

    redistribute: Literal["none", "gradient", "momentum"] = Field(
        "momentum",
        description="whether layers share the growth by the mean magnitude of their live weights'"
        " momenta (published) or gradients, the total being exact, or each grows what it drops",
    )
    memory: Literal["dense"] = Field(
        "dense",
        description="the optimizer remembers gradients of pruned weights too, to grow by them",
    )


class Sparsifier(_dynamic.Dynamic[Settings]):
    """Growth where the momentum is largest."""

    def uses_momentum(self) -> bool:
        return True

    def grow_scores(
        self, training: Training, gradients: _dynamic.Tensors, rng: torch.Generator
    ) -> _dynamic.Tensors:
        return _dynamic.momenta(training)
