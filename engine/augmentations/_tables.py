"""Operations that give each level of a band another one: tables of 256 levels, one per band.

Each takes images, uint8 [n, C, H, W], and values, float64 [n], and returns tables, uint8
[n, C, 256] or [n, 1, 256]. Results equal those of PIL's ImageOps and ImageEnhance to the level.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.augmentations import _arithmetic
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


def look_up(x: Tensor, tables: Tensor) -> Tensor:
    """uint8 [n, C, H, W]: the images through their tables [n, C, 256]."""
    return tables.gather(2, x.flatten(2).long()).view_as(x)


def invert(x: Tensor, values: Tensor) -> Tensor:
    """255 - level; values are not used."""
    return (255 - _levels(x)).to(torch.uint8).expand(len(x), 1, 256)


def solarize(x: Tensor, values: Tensor) -> Tensor:
    """Invert the levels from `values` on; they may be fractions."""
    levels = _levels(x)
    return torch.where(levels < values.view(-1, 1, 1), levels, 255 - levels).to(torch.uint8)


def posterize(x: Tensor, values: Tensor) -> Tensor:
    """Keep the upper bits of each level: as many as the whole part of `values`, 1..8."""
    step = 2 ** (8 - values.long().view(-1, 1, 1))
    return (_levels(x) // step * step).to(torch.uint8)


def brightness(x: Tensor, values: Tensor) -> Tensor:
    """Blend with black: `values` of the image are kept."""
    levels = _levels(x).expand(len(x), 1, 256)
    return _arithmetic.blend(torch.zeros_like(levels), levels, values)


def contrast(x: Tensor, values: Tensor) -> Tensor:
    """Blend with the mean brightness, or with each band's own mean: `values` are kept."""
    bands = _arithmetic.luma(x) if _arithmetic.is_rgb(x) else x
    sums = bands.flatten(2).sum(2, keepdim=True, dtype=torch.int64)
    mean = (sums.double() / bands[0, 0].numel() + 0.5).floor()
    return _arithmetic.blend(mean.expand(-1, -1, 256), _levels(x).view(1, 1, 256), values)


def autocontrast(x: Tensor, values: Tensor) -> Tensor:
    """Stretch each band from its darkest and lightest level to 0..255; values are not used."""
    bands = x.flatten(2)
    low = bands.amin(2, keepdim=True).double()
    extent = bands.amax(2, keepdim=True).double() - low
    scale = 255 / extent.clamp(min=1)
    levels = _levels(x).double()
    stretched = (levels * scale - low * scale).clamp(0, 255)
    return torch.where(extent > 0, stretched, levels).to(torch.uint8)


def equalize(x: Tensor, values: Tensor) -> Tensor:
    """Spread each band's levels so that all are about as frequent; values are not used."""
    bands, levels = x.flatten(2).long(), _levels(x)
    counts = torch.zeros(*bands.shape[:2], 256, dtype=torch.int64, device=x.device)
    counts.scatter_add_(2, bands, torch.ones_like(bands))
    last = counts.gather(2, bands.amax(2, keepdim=True))
    step = (bands.shape[2] - last) // 255
    below = counts.cumsum(2) - counts
    spread = (step // 2 + below) // step.clamp(min=1)
    return torch.where(step > 0, spread.clamp(max=255), levels).to(torch.uint8)


def _levels(x: Tensor) -> Tensor:
    return torch.arange(256, device=x.device)


TABLES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "autocontrast": autocontrast,
    "brightness": brightness,
    "contrast": contrast,
    "equalize": equalize,
    "invert": invert,
    "posterize": posterize,
    "solarize": solarize,
}
