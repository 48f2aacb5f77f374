"""Operations that look at a pixel's neighbours: sharpening and Gaussian blur, as PIL does them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.augmentations import _arithmetic
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

PASSES = 3
"""Box filters in a row that come close to a Gaussian one."""


def sharpness(x: Tensor, values: Tensor) -> Tensor:
    """Blend with a smoothed image: `values` of the detail are kept, as `ImageEnhance.Sharpness`.

    Args:
        x: uint8 [n, C, H, W]. Pixels at the edge stay as they are.
        values: float64 [n]; 0 is smooth, 1 the image itself.
    """
    levels = x.short()
    rows = levels[..., :-2, :] + levels[..., 1:-1, :] + levels[..., 2:, :]
    inner = levels[..., 1:-1, 1:-1]
    sums = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + 4 * inner
    smooth = ((sums + 6).float() / 13).floor_()  # to the nearest: there are no halves of 13
    made = x.clone()
    made[..., 1:-1, 1:-1] = _arithmetic.blend(smooth, inner, values)
    return made


def some_blurred(
    x: Tensor, share: float, sigma: tuple[float, float], rng: torch.Generator
) -> Tensor:
    """Blur images, uint8 [B, C, size, size], each with probability `share`, by its own sigma."""
    draws = torch.rand(2, len(x), generator=rng, dtype=torch.float64)
    where = (draws[0] < share).nonzero().flatten()
    chosen = (sigma[0] + (sigma[1] - sigma[0]) * draws[1])[where]
    where = where.to(x.device, non_blocking=True)
    return x.index_copy(
        0, where, blur(x.index_select(0, where), chosen.to(x.device, non_blocking=True))
    )


def blur(x: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur, as `ImageFilter.GaussianBlur`: three box filters each way, edges repeated.

    Within three levels of PIL, which rounds after each of the six.

    Args:
        x: uint8 [n, C, size, size].
        sigma: float64 [n], in pixels.
    """
    boxes = _boxes(_box_radius(sigma).float(), x.shape[3]).unsqueeze(1)
    return _arithmetic.to_levels((boxes @ x.float() @ boxes.mT).add_(0.5))


def _box_radius(sigma: Tensor) -> Tensor:
    """The radius of boxes, three of which in a row spread by `sigma` (Gwosdek et al. 2011)."""
    variance = sigma**2 / PASSES
    whole = (((12 * variance + 1).sqrt() - 1) / 2).floor()
    rest = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance)
    return whole + rest / (6 * (variance - (whole + 1) ** 2))


def _boxes(radius: Tensor, extent: int) -> Tensor:
    """float32 [n, extent, extent]: three box filters in a row, as matrices.

    A box of radius 1.3 takes a pixel, one on each side whole, and 0.3 of the next. Beyond the edge
    stands what is at the edge.
    """
    steps = torch.arange(extent, device=radius.device)
    distance = (steps.view(-1, 1) - steps).abs()
    radius = radius.view(-1, 1, 1)
    width = 2 * radius + 1
    weights = (radius + 1 - distance).clamp(0, 1) / width  # [n, extent, extent]
    half = (1 - 1 / width.squeeze(2)) / 2
    weights[:, :, 0] += half - weights.tril(-1).sum(2)
    weights[:, :, -1] += half - weights.triu(1).sum(2)
    return weights.matrix_power(PASSES)
