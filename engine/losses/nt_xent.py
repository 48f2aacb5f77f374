"""NT-Xent, for pretraining without labels (SimCLR, Chen et al. 2020,
https://arxiv.org/abs/2002.05709, equation 1).

Two views of each image are to be closer than those of different images. Scores during and after
such a run are those of a vote of the nearest training images; see `engine.neighbours`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from engine import plugin
from engine.lazy import functional, torch
from engine.losses import _smoothing

if TYPE_CHECKING:
    from torch import Tensor, nn

VIEWS = 2  # of each image in a step, one after the other: image i is in rows i and i + B


class Settings(plugin.Settings):
    """The normalised, temperature-scaled cross-entropy of picking an image's other view."""

    temperature: float = Field(
        0.5, gt=0, le=100, description="what cosines are divided by; lower looks at the nearest"
    )
    projection: int = Field(
        128, ge=2, le=65_536, description="outputs of the projection head that training adds"
    )


def head(settings: Settings, features: int, classes: int) -> nn.Module:
    """The projection, [B, features] -> [B, settings.projection] while training."""
    from engine.losses._projection import Projection

    return Projection(features, settings.projection)


def loss(settings: Settings, logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over all views, a scalar computed in float32 or better.

    Args:
        logits: [2 B, projection], all first views before all second ones, in any floating type.
        targets: not used.
    """
    return functional.cross_entropy(_similarities(settings, logits), _others(logits))


def hits(settings: Settings, logits: Tensor, targets: Tensor) -> Tensor:
    """bool [B]: whether the nearest of all views to an image's first one is its second one."""
    nearest = _similarities(settings, logits).argmax(1)
    return (nearest == _others(logits))[: len(targets)]


def _similarities(settings: Settings, logits: Tensor) -> Tensor:
    """[2 B, 2 B] cosines over the temperature; a view is infinitely far from itself."""
    directions = functional.normalize(_smoothing.exact(logits), dim=1)
    found = directions @ directions.T / settings.temperature
    return found.masked_fill(
        torch.eye(len(found), dtype=torch.bool, device=found.device), -torch.inf
    )


def _others(logits: Tensor) -> Tensor:
    """int64 [2 B]: the row of each view's other one."""
    return torch.arange(len(logits), device=logits.device).roll(len(logits) // 2)
