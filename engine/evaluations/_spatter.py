"""Drops of water or mud on the lens (Hendrycks & Dietterich 2019).

Of images float32 [B, C, size, size] in 0..1; what leaves that range is cut off by who calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.evaluations import _colours, _matrices
from engine.lazy import functional, torch

if TYPE_CHECKING:
    from torch import Tensor

    from engine.evaluations._draws import Draws

WATER = (175 / 255, 238 / 255, 238 / 255)
MUD = (63 / 255, 42 / 255, 20 / 255)
FARTHEST = 20  # pixels from an edge, after which water is flat
SLOPE = ((-2.0, -1.0, 0.0), (-1.0, 1.0, 1.0), (0.0, 1.0, 2.0))
TRUNCATE, SOLID = 4.0, 0.8


def spatter(
    x: Tensor, constants: tuple[float, float, float, float, float, bool], draws: Draws
) -> Tensor:
    """Drops where a blurred noise is above a threshold: water that shines, or mud that covers."""
    mean, deviation, sigma, threshold, amount, mud = constants
    size = x.shape[-1]
    liquid = _blurred(draws.normal(mean, deviation, 1, size, size), sigma)
    if mud:
        cover = _blurred((liquid > threshold).to(x.dtype), amount)
        cover = torch.where(cover < SOLID, 0.0, cover)
        return x * (1 - cover) + cover * _colours.of(x, MUD)
    drops = torch.where(liquid < threshold, 0.0, liquid)
    shine = _shine((drops * 255).floor().clamp(0, 255))
    return x + amount * shine * _colours.of(x, WATER)


def _shine(drops: Tensor) -> Tensor:
    """How water of given heights [B, 1, n, n] in 0..255 shines, in 0..1.

    Drops are lit along their edges. Their outlines stand for what the published program finds with
    Canny's filter, and distances from them are exact where it takes those along a few directions.
    """
    mean = _matrices.mean(drops.shape[-1], 3)
    away = _matrices.applied(_distances(_outlines(drops > 0)), mean).floor()
    relief = _filtered(_equalised(away), drops.new_tensor(SLOPE)).clamp(0, 255)
    lit = drops * _matrices.applied(relief, mean).round()
    return lit / lit.amax((2, 3), keepdim=True).clamp(min=1)


def _outlines(drops: Tensor) -> Tensor:
    """Pixels of drops that have a neighbour outside: bool [B, 1, n, n]."""
    outside = functional.pad((~drops).float(), (1, 1, 1, 1), mode="replicate")
    near = functional.max_pool2d(outside, 3, stride=1) > 0
    return drops & near


def _distances(edges: Tensor) -> Tensor:
    """Pixels to the nearest edge, at most 20: float32 [B, 1, n, n], column by column, then row."""
    far = float(FARTHEST**2)
    squares = torch.where(edges, 0.0, far).to(torch.float32)
    for dimension in (2, 3):
        squares = torch.stack(
            [
                _shifted(squares, by, dimension, far) + by * by
                for by in range(-FARTHEST, FARTHEST + 1)
            ]
        ).amin(0)
    return squares.clamp(max=far).sqrt()


def _shifted(x: Tensor, by: int, dimension: int, fill: float) -> Tensor:
    size = x.shape[dimension]
    if abs(by) >= size:
        return torch.full_like(x, fill)
    kept = x.narrow(dimension, max(0, -by), size - abs(by))
    gap = torch.full_like(x.narrow(dimension, 0, abs(by)), fill)
    return torch.cat([gap, kept] if by > 0 else [kept, gap], dimension)


def _equalised(x: Tensor) -> Tensor:
    """Levels 0..255 spread as OpenCV's equalizeHist does it, image by image."""
    levels = x.flatten(1).long()
    counts = torch.zeros(len(x), 256, dtype=torch.int64, device=x.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels))
    lowest = levels.amin(1, keepdim=True)
    rest = levels.shape[1] - counts.gather(1, lowest)
    spread = (counts.cumsum(1) - counts.gather(1, lowest)).clamp(min=0)
    table = (spread * 255.0 / rest.clamp(min=1)).round()
    same = torch.where(rest > 0, table.gather(1, levels), levels.to(table.dtype))
    return same.view(x.shape).to(x.dtype)


def _filtered(x: Tensor, kernel: Tensor) -> Tensor:
    padded = functional.pad(x, (1, 1, 1, 1), mode="reflect")
    return functional.conv2d(padded, kernel[None, None])


def _blurred(x: Tensor, sigma: float) -> Tensor:
    return _matrices.applied(x, _matrices.gaussian(x.shape[-1], sigma, TRUNCATE, "edge"))
