"""AutoAugment (Cubuk et al. 2019, arXiv 1805.09501): one of 25 pairs of operations.

The pairs are the published ones, which torchvision and DataEfficientLTH share. Where those two
differ in what an operation does, this is the latter: grey (128) beyond the edges, cubic shears,
solarize from 256 down, translations rounded to whole pixels rather than cut. On images that are not
RGB, `color` changes nothing, and the others take each band as a grey image of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from engine.augmentations import _moves, _operations, _shared
from engine.augmentations._policies import POLICIES
from engine.augmentations._spaces import UNIT, Space
from engine.images import Batch
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

SPACE = Space(
    (
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
        ("solarize", 256, 0),
        ("autocontrast", 0, 0),
        ("equalize", 0, 0),
        ("invert", 0, 0),
    ),
    bins=10,
    relative=True,
    whole=False,
)
APPLIED = tuple(f"cubic_{name}" if name.startswith("shear") else name for name in SPACE.names)


class Settings(_shared.Settings):
    """Which policy."""

    policy: Literal["imagenet", "cifar", "svhn"] = Field(
        "cifar", description="the data set on which the policy was found"
    )


def augment(settings: Settings, batch: Batch, rng: torch.Generator) -> Batch:
    """Give each image what `basic` does and one pair of operations, each as likely as it says.

    Args:
        rng: a CPU generator; the same state gives the same draws on any device.
    """

    def operate(x: Tensor) -> Tensor:
        for chosen, values in draw(settings, len(x), x.shape[3], rng):
            x = _operations.apply(x, APPLIED, chosen, values, fill=_moves.GREY)
        return x

    return _shared.augment(settings, batch, rng, operate)


def draw(
    settings: Settings, count: int, size: int, rng: torch.Generator
) -> list[tuple[Tensor, Tensor]]:
    """Two steps for each of `count` images of `size` pixels, as `_operations.apply` takes them."""
    pairs = POLICIES[settings.policy]
    pair = torch.randint(len(pairs), (count,), generator=rng)
    made = []
    for step in zip(*pairs, strict=True):
        names, likely, levels = zip(*step, strict=True)
        chosen = torch.tensor([SPACE.names.index(name) for name in names])[pair]
        up = torch.rand(count, generator=rng) < 0.5
        values = SPACE.values(chosen, torch.tensor(levels)[pair], up, size)
        skipped = torch.rand(count, generator=rng) >= torch.tensor(likely)[pair]
        made.append((chosen.masked_fill(skipped, -1), values))
    return made
