"""Shifts (He et al. 2016) or resized crops (Szegedy et al. 2015), and flips: what each set allows.

The data set says which: `cifar10` shifts by 4 pixels and mirrors left to right, `eurosat` by 8 and
also upside down, `isic2018` resizes crops.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from engine import plugin
from engine.augmentations import _crops
from engine.images import Batch, Flip
from engine.lazy import torch


class Settings(plugin.Settings):
    """What to change of the data set's own augmentation."""

    pad: int | None = Field(
        None,
        ge=0,
        le=256,
        description="largest shift in pixels, where images are shifted; the data set's if unset",
    )
    scale: tuple[float, float] = Field(
        (0.08, 1.0),
        description="smallest and largest share of an image's area, where crops are resized",
    )
    flips: tuple[Flip, ...] | None = Field(
        None,
        max_length=2,
        description="horizontal, vertical, both or none ([]); the data set's if unset",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.scale
        if not 0 < low <= high <= 1:
            raise ValueError(f"scale [{low}, {high}]: two shares, 0 < smallest <= largest <= 1")
        return self


def augment(settings: Settings, batch: Batch, rng: torch.Generator) -> Batch:
    """Give each image a shift or resized crop and flips of its own.

    Args:
        rng: a CPU generator; the same state gives the same draws on any device.
    """
    own = batch.geometry
    flips = own.flips if settings.flips is None else settings.flips
    if own.crop == "resized":
        return _crops.cut(batch, _crops.parts(batch, settings.scale, flips, rng))
    pad = own.pad if settings.pad is None else settings.pad
    return _crops.cut(batch, _crops.shifts(batch, pad, flips, rng))
