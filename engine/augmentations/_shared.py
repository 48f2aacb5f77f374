"""What `basic` and every policy share: first shifts or crops and flips; last blur, cutout, mixing.

A policy's own operations stand in between, on squares of the size that the network sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from engine import plugin
from engine.augmentations import _crops, _cutout, _filters, _mixing
from engine.errors import SpecError
from engine.images import Batch, Flip
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


class Settings(plugin.Settings):
    """What every policy can be told, beside its own operations."""

    crop: Literal["pad", "resized"] | None = Field(
        None,
        description="shifts over a black border (pad), or parts of a random area and shape, resized"
        " (as SimCLR); the data set's if unset",
    )
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
    blur: float = Field(
        0.0, ge=0, le=1, description="share of the images that a Gaussian filter blurs (SimCLR)"
    )
    blur_sigma: Annotated[tuple[float, float], plugin.IdleWith("blur", 0.0)] = Field(
        (0.1, 2.0), description="smallest and largest standard deviation of the filter in pixels"
    )
    cutout: int = Field(
        0,
        ge=0,
        le=1024,
        description="side in pixels of a square that takes the image's mean (DeVries and Taylor"
        " 2017); 0 for none",
    )
    cutout_form: Annotated[Literal["correct", "paper"], plugin.IdleWith("cutout", 0)] = Field(
        "correct",
        description="a square, of which up to half lies beyond the top and left edges, or what"
        " DataEfficientLTH cuts out: boxes whose left edge is where their top edge should be",
    )
    mixup: float = Field(
        0.0,
        ge=0,
        le=100,
        description="mix each image with another one; their shares are drawn from Beta(a, a) of"
        " this a (Zhang et al. 2018); 0 for none",
    )
    cutmix: float = Field(
        0.0,
        ge=0,
        le=100,
        description="paste a box of another image into each; its share of the area is drawn from"
        " Beta(a, a) of this a (Yun et al. 2019); 0 for none; with mixup, each image gets either",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.scale
        if not 0 < low <= high <= 1:
            raise ValueError(f"scale [{low}, {high}]: two shares, 0 < smallest <= largest <= 1")
        low, high = self.blur_sigma
        if not 0 < low <= high <= 32:
            raise ValueError(f"blur_sigma [{low}, {high}]: 0 < smallest <= largest <= 32 pixels")
        return self

    def check_crop(self, own: Literal["pad", "resized"]) -> None:
        """Refuse, while a spec is validated, what has no effect with the crop that is used.

        Args:
            own: the data set's crop.

        Raises:
            PydanticCustomError: which field that is.
        """
        crop = self.crop or own
        idle, other = ("scale", "resized") if crop == "pad" else ("pad", "pad")
        if getattr(self, idle) != type(self).model_fields[idle].default:
            raise plugin.impossible(
                f"augmentation.{idle}",
                f"{idle} has no effect with crop {crop}; leave it out, or set augmentation.crop:"
                f" {other}",
            )

    def check_size(self, size: int) -> None:
        if self.cutout > size:
            raise SpecError(
                f"cutout {self.cutout} is larger than the images, which have {size} pixels a side;"
                " lower it",
                "augmentation.cutout",
            )


def augment(
    settings: Settings,
    batch: Batch,
    rng: torch.Generator,
    operate: Callable[[Tensor], Tensor] = lambda x: x,
) -> Batch:
    """Give each image a shift or crop, flips, a policy's operations and what comes last.

    Args:
        rng: a CPU generator; the same state gives the same draws on any device.
        operate: a policy's operations on uint8 [B, C, size, size].

    Raises:
        SpecError: cutout is larger than the images.
    """
    x = operate(_cropped(settings, batch, rng).x)
    if settings.blur:
        x = _filters.some_blurred(x, settings.blur, settings.blur_sigma, rng)
    if settings.cutout:
        settings.check_size(x.shape[-1])
        x = _cutout.cut_out(x, settings.cutout, settings.cutout_form, rng)
    if not settings.mixup and not settings.cutmix:
        return Batch(x, None, batch.geometry)
    x, mix = _mixing.mixed(x, settings.mixup, settings.cutmix, rng)
    return Batch(x, None, batch.geometry, mix)


def _cropped(settings: Settings, batch: Batch, rng: torch.Generator) -> Batch:
    own = batch.geometry
    flips = own.flips if settings.flips is None else settings.flips
    crop = own.crop if settings.crop is None else settings.crop
    given = replace(batch, geometry=replace(own, crop=crop))
    if crop == "resized":
        return _crops.cut(given, _crops.parts(given, settings.scale, flips, rng))
    pad = own.pad if settings.pad is None else settings.pad
    return _crops.cut(given, _crops.shifts(given, pad, flips, rng))
