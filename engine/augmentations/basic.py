"""Shifts (He et al. 2016) or resized crops (Szegedy et al. 2015), and flips: what each set allows.

The data set says which: `cifar10` shifts by 4 pixels and mirrors left to right, `eurosat` by 8 and
also upside down, `isic2018` resizes crops.
"""

from __future__ import annotations

from engine.augmentations import _shared
from engine.images import Batch
from engine.lazy import torch


class Settings(_shared.Settings):
    """What to change of the data set's own augmentation, and what to add to it."""


def augment(settings: Settings, batch: Batch, rng: torch.Generator) -> Batch:
    """Give each image a shift or resized crop and flips of its own.

    Args:
        rng: a CPU generator; the same state gives the same draws on any device.
    """
    return _shared.augment(settings, batch, rng)
