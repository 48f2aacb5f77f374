"""Colour jitter and greyscale, as SimCLR uses them (Chen et al. 2020, arXiv 2002.05709).

Operations and draws are those of torchvision's ColorJitter and RandomGrayscale on PIL images. On
images that are not RGB, saturation, hue and greyscale change nothing, and the others take each band
as a grey image of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from engine.augmentations import _operations, _shared
from engine.images import Batch
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

JITTERS = {"brightness": 0.8, "contrast": 0.8, "color": 0.8, "hue": 0.2}
"""How far each may go from no change at strength 1."""


class Settings(_shared.Settings):
    """How strong, and how often."""

    strength: float = Field(
        0.5,
        ge=0,
        le=1.25,
        description="strength of the jitter: 0.5 changes brightness, contrast and saturation by up"
        " to 0.4 and the hue by up to 0.1 of a turn",
    )
    jitter: float = Field(0.8, ge=0, le=1, description="share of the images that are jittered")
    gray: float = Field(0.2, ge=0, le=1, description="share of the images that lose their colours")


def augment(settings: Settings, batch: Batch, rng: torch.Generator) -> Batch:
    """Give each image what `basic` does, a jitter in an order of its own, and greyscale.

    Args:
        rng: a CPU generator; the same state gives the same draws on any device.
    """

    def operate(x: Tensor) -> Tensor:
        for chosen, values in draw(settings, len(x), rng):
            x = _operations.apply(x, tuple(JITTERS), chosen, values)
        gray = torch.rand(len(x), generator=rng) < settings.gray
        nothing = torch.zeros(len(x), dtype=torch.float64)
        return _operations.apply(x, ("grayscale",), gray.long() - 1, nothing)

    return _shared.augment(settings, batch, rng, operate)


def draw(settings: Settings, count: int, rng: torch.Generator) -> list[tuple[Tensor, Tensor]]:
    """The four steps of `count` images' jitter, each as `_operations.apply` takes it."""
    order = torch.rand(count, len(JITTERS), generator=rng).argsort(dim=1)
    draws = 2 * torch.rand(count, len(JITTERS), generator=rng, dtype=torch.float64) - 1
    skipped = torch.rand(count, generator=rng) >= settings.jitter
    reach = torch.tensor(list(JITTERS.values()), dtype=torch.float64) * settings.strength
    neutral = torch.tensor([float(name != "hue") for name in JITTERS], dtype=torch.float64)
    values = (draws * reach + neutral).gather(1, order)
    order[skipped] = -1
    return list(zip(order.T, values.T, strict=True))
