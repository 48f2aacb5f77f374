"""A random mask drawn once: the control for which weights are kept (Liu et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from engine import masks, plugin, sparsifier
from engine.lazy import torch
from engine.plan import Level, Plan
from engine.spec import RunSpec

if TYPE_CHECKING:
    from torch import Tensor

    from engine.training import Training


class Settings(plugin.AllocationSettings):
    """How many weights are kept, and where."""

    @model_validator(mode="before")
    @classmethod
    def _scope_is_an_allocation(cls, data: Any) -> Any:
        """Specs written before there were allocations say `scope: layer` for uniform."""
        if not isinstance(data, dict) or data.get("scope") not in ("global", "layer"):
            return data
        allocation = "uniform" if data["scope"] == "layer" else "global"
        return {"allocation": allocation} | {k: v for k, v in data.items() if k != "scope"}


class Sparsifier(sparsifier.Sparsifier[Settings]):
    """One training under a random mask."""

    def levels(self) -> Sequence[Level]:
        return [Level(0, self.settings.density)]

    def check(self, spec: RunSpec, plan: Plan) -> None:
        self.settings.check_sparse()

    def check_shapes(self, weights: Mapping[str, Tensor]) -> None:
        masks.allotted(weights, self.settings, self.settings.density)

    def mask_before(self, training: Training) -> masks.Mask:
        rng = training.rng("mask")
        noise = {
            name: torch.rand(p.shape, generator=rng) for name, p in training.prunable().items()
        }
        return masks.allocate(noise, self.settings)
