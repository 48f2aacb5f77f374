"""Kept fraction of every prunable layer (Figure 6 of the data-efficient tickets paper)."""

from __future__ import annotations

from typing import ClassVar

from engine.context import Context, Result
from engine.evaluationspec import CheapSettings


class Settings(CheapSettings):
    """Nothing to set but the levels."""

    shares: ClassVar[str] = ".*"


def evaluate(settings: Settings, context: Context) -> Result:
    """Counts per layer, and the lowest and highest density as metrics."""
    layers = {
        name: {
            "kept": int(mask.sum()),
            "total": mask.numel(),
            "density": mask.float().mean().item(),
        }
        for name, mask in context.mask.items()
    }
    densities = [layer["density"] for layer in layers.values()]
    metrics = {"lowest": min(densities), "highest": max(densities)}
    return Result(metrics, {"layer_density.json": layers})
