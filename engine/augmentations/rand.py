"""RandAugment: a few operations in a row, drawn with replacement from a list of 14.

`list: paper` is that of DataEfficientLTH ("Sparse Winning Tickets are Data-Efficient Image
Recognizers", NeurIPS 2022): strengths anywhere in small ranges, blends that only take away. `list:
standard` is Cubuk et al. 2020 (arXiv 1909.13719) as in torchvision: one strength for all. On images
that are not RGB, `color` changes nothing, and the others take each band as a grey image of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from engine import plugin
from engine.augmentations import _operations, _shared
from engine.augmentations._spaces import UNIT, Space
from engine.images import Batch
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

PAPER = {
    "identity": (0.0, 0.0),
    "autocontrast": (0.0, 0.0),
    "equalize": (0.0, 0.0),
    "rotate": (-30.0, 30.0),
    "solarize": (0.0, 256.0),
    "color": (0.05, 0.95),
    "contrast": (0.05, 0.95),
    "brightness": (0.05, 0.95),
    "sharpness": (0.05, 0.95),
    "shear_x": (-0.1, 0.1),
    "shear_y": (-0.1, 0.1),
    "translate_x": (-0.1, 0.1),  # of the image's side
    "translate_y": (-0.1, 0.1),
    "posterize": (4.0, 8.0),  # its whole part counts: 4 to 7 bits
}
STANDARD = Space(
    (
        ("identity", 0, 0),
        ("shear_x", 0, 0.3),
        ("shear_y", 0, 0.3),
        ("translate_x", 0, UNIT),
        ("translate_y", 0, UNIT),
        ("rotate", 0, 30),
        ("brightness", 0, 0.9),
        ("color", 0, 0.9),
        ("contrast", 0, 0.9),
        ("sharpness", 0, 0.9),
        ("posterize", 8, 4),
        ("solarize", 255, 0),
        ("autocontrast", 0, 0),
        ("equalize", 0, 0),
    ),
    bins=31,
    relative=True,
    whole=True,
)


class Settings(_shared.Settings):
    """Which operations, and how many of them."""

    list: Literal["paper", "standard"] = Field(
        "paper",
        description="the paper's operations, of any strength in small ranges, or the standard ones,"
        " all of one strength",
    )
    n: int = Field(4, ge=1, le=16, description="operations an image gets; one may come twice")
    magnitude: Annotated[int, plugin.IdleWith("list", "paper")] = Field(
        9, ge=0, le=30, description="strength of the standard operations, of 30"
    )


def augment(settings: Settings, batch: Batch, rng: torch.Generator) -> Batch:
    """Give each image what `basic` does and `n` operations.

    Args:
        rng: a CPU generator; the same state gives the same draws on any device.
    """

    def operate(x: Tensor) -> Tensor:
        for _ in range(settings.n):
            names, chosen, values = draw(settings, len(x), x.shape[3], rng)
            x = _operations.apply(x, names, chosen, values)
        return x

    return _shared.augment(settings, batch, rng, operate)


def draw(
    settings: Settings, count: int, size: int, rng: torch.Generator
) -> tuple[tuple[str, ...], Tensor, Tensor]:
    """One operation for each of `count` images of `size` pixels: what `_operations.apply` takes."""
    if settings.list == "standard":
        chosen = torch.randint(len(STANDARD.names), (count,), generator=rng)
        up = torch.rand(count, generator=rng) < 0.5
        level = torch.full_like(chosen, settings.magnitude)
        return STANDARD.names, chosen, STANDARD.values(chosen, level, up, size)
    names = tuple(PAPER)
    chosen = torch.randint(len(names), (count,), generator=rng)
    low, high = torch.tensor(list(PAPER.values()), dtype=torch.float64)[chosen].T
    values = low + (high - low) * torch.rand(count, generator=rng, dtype=torch.float64)
    moved = torch.tensor([name.startswith("translate") for name in names])[chosen]
    return names, chosen, torch.where(moved, values * size, values)
