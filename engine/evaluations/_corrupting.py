"""Making corrupted images of any, as CIFAR-10-C was made of CIFAR-10's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from engine import seeds
from engine.evaluations import _blurs, _digital, _noises, _severities, _spatter, _weather
from engine.evaluations._draws import Draws
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

HOW: dict[str, Callable[[Tensor, Any, Draws], Tensor]] = {
    "gaussian_noise": _noises.gaussian_noise,
    "shot_noise": _noises.shot_noise,
    "impulse_noise": _noises.impulse_noise,
    "defocus_blur": _blurs.defocus_blur,
    "glass_blur": _blurs.glass_blur,
    "motion_blur": _blurs.motion_blur,
    "zoom_blur": _blurs.zoom_blur,
    "snow": _weather.snow,
    "frost": _weather.frost,
    "fog": _weather.fog,
    "brightness": _weather.brightness,
    "contrast": _digital.contrast,
    "elastic_transform": _digital.elastic_transform,
    "pixelate": _digital.pixelate,
    "jpeg_compression": _digital.jpeg_compression,
    "gaussian_blur": _blurs.gaussian_blur,
    "saturate": _digital.saturate,
    "spatter": _spatter.spatter,
    "speckle_noise": _noises.speckle_noise,
}
ROUNDING = 1e-3  # of a grey level, by which float32 may be below a whole one


def corrupted(x: Tensor, corruption: str, severity: int, ids: Sequence[str]) -> Tensor:
    """Images with a corruption.

    What is drawn depends on an image's id, the corruption and the severity alone: like the
    published images, these are the same for every network.

    Args:
        x: uint8 [B, 1 or 3, size, size].
        severity: 1 to 5.
        ids: the images' names.

    Returns:
        uint8, of the same shape, cut off to whole levels as the published ones.
    """
    rngs = [seeds.rng(0, "corruption", corruption, severity, name) for name in ids]
    constants = _severities.constants(corruption, severity, x.shape[-1])
    made = HOW[corruption](x.float() / 255, constants, Draws(rngs, x.device))
    return (made.clamp(0, 1) * 255 + ROUNDING).floor().to(torch.uint8)
