"""TrivialAugment, wide (Müller and Hutter 2021, arXiv 2103.10158): one operation of any strength.

The operations and strengths are those of torchvision's TrivialAugmentWide: translations of up to 32
pixels, whatever the size of the images. On images that are not RGB, `color` changes nothing, and
the other operations take each band as a grey image of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.augmentations import _operations, _shared
from engine.augmentations._spaces import Space
from engine.images import Batch
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

WIDE = Space(
    (
        ("identity", 0, 0),
        ("shear_x", 0, 0.99),
        ("shear_y", 0, 0.99),
        ("translate_x", 0, 32),
        ("translate_y", 0, 32),
        ("rotate", 0, 135),
        ("brightness", 0, 0.99),
        ("color", 0, 0.99),
        ("contrast", 0, 0.99),
        ("sharpness", 0, 0.99),
        ("posterize", 8, 2),
        ("solarize", 255, 0),
        ("autocontrast", 0, 0),
        ("equalize", 0, 0),
    ),
    bins=31,
    relative=False,
    whole=True,
)


class Settings(_shared.Settings):
    """Nothing to tune but what all policies share."""


def augment(settings: Settings, batch: Batch, rng: torch.Generator) -> Batch:
    """Give each image what `basic` does and one operation.

    Args:
        rng: a CPU generator; the same state gives the same draws on any device.
    """

    def operate(x: Tensor) -> Tensor:
        chosen = torch.randint(len(WIDE.names), (len(x),), generator=rng)
        level = torch.randint(WIDE.bins, (len(x),), generator=rng)
        up = torch.rand(len(x), generator=rng) < 0.5
        values = WIDE.values(chosen, level, up, x.shape[3])
        return _operations.apply(x, WIDE.names, chosen, values)

    return _shared.augment(settings, batch, rng, operate)
