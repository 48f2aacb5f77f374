"""A random mask drawn once: the control for which weights are kept (Liu et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from engine import masks, plugin, sparsifier
from engine.lazy import torch
from engine.plan import Level

if TYPE_CHECKING:
    from engine.training import Training


class Settings(plugin.PrunableSettings):
    """How many weights are kept, and whether over the network or in every layer alike."""

    density: float = Field(0.2, gt=0, le=1, description="kept fraction of the prunable weights")


class Sparsifier(sparsifier.Sparsifier[Settings]):
    """One training under a random mask."""

    def levels(self) -> Sequence[Level]:
        return [Level(0, self.settings.density)]

    def mask_before(self, training: Training) -> masks.Mask:
        rng = training.rng("mask")
        noise = {
            name: torch.rand(p.shape, generator=rng) for name, p in training.prunable().items()
        }
        kept = max(1, round(self.settings.density * training.mask.total))
        return masks.keep_top(noise, kept, scope=self.settings.scope)
