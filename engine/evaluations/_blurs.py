"""Corruptions by blur (Hendrycks & Dietterich 2019).

Of images float32 [B, C, size, size] in 0..1; what leaves that range is cut off by who calls.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from engine.evaluations import _matrices
from engine.lazy import functional, torch

if TYPE_CHECKING:
    from torch import Tensor

    from engine.evaluations._draws import Draws

TRUNCATE = 4.0  # deviations after which a Gaussian ends


def gaussian_blur(x: Tensor, sigma: float, draws: Draws) -> Tensor:
    """A Gaussian filter."""
    return _smooth(x, sigma)


def defocus_blur(x: Tensor, constants: tuple[float, float], draws: Draws) -> Tensor:
    """A disk, as a lens out of focus makes of a point."""
    kernel = _disk(*constants).to(x.device, x.dtype)
    reach, size = len(kernel) // 2, x.shape[-1]
    around = torch.arange(-reach, size + reach, device=x.device)
    around = _matrices.inside(around, size, "whole")
    padded = x[..., around, :][..., around].flatten(0, 1)[:, None]
    return functional.conv2d(padded, kernel[None, None]).view(x.shape)


def glass_blur(x: Tensor, constants: tuple[float, int, int], draws: Draws) -> Tensor:
    """A view through frosted glass: pixels that wander a little, between two Gaussian filters.

    The published program means to swap neighbours, but its assignment of overlapping views copies
    one onto the other; the published images come of that, and so do these.
    """
    sigma, farthest, rounds = constants
    x = (_smooth(x, sigma).clamp(0, 1) * 255 + 1e-3).floor() / 255
    for _ in range(rounds):
        x = x.flatten(2).gather(2, _wandered(x, farthest, draws)).view(x.shape)
    return _smooth(x, sigma)


def motion_blur(x: Tensor, constants: tuple[int, float], draws: Draws) -> Tensor:
    """A camera that moves, by up to 45 degrees from the horizontal; to the nearest level of 256."""
    return (moved(x, *constants, draws.uniform(-45.0, 45.0)) * 255).round() / 255


def zoom_blur(x: Tensor, constants: tuple[float, float], draws: Draws) -> Tensor:
    """A camera that comes closer: the mean of views at several distances, and of the first again.

    How many there are is decided by rounding, so they are counted as they were published.
    """
    import numpy as np

    factors = np.arange(1, *constants)
    views = sum(_matrices.applied(x, _matrices.zoom(x.shape[-1], float(f))) for f in factors)
    return (x + views) / (len(factors) + 1)


def moved(x: Tensor, radius: int, sigma: float, degrees: Tensor) -> Tensor:
    """Half a Gaussian along a line, as ImageMagick's motion blur.

    Args:
        x: [B, C, size, size].
        degrees: [B], which way the line goes.
    """
    size, angle = x.shape[-1], degrees.double().deg2rad()
    away = torch.arange(2 * radius + 1, device=x.device)
    weights = torch.exp(-0.5 * (away.double() / sigma).square())
    weights = (weights / weights.sum()).to(x.dtype)
    pixels = torch.arange(size, device=x.device)
    flat, made = x.flatten(2), torch.zeros_like(x).flatten(2)
    for step, weight in zip(away, weights, strict=True):
        right = (step * angle.cos() - 0.5).ceil().long()[:, None]
        down = (step * angle.sin() - 0.5).ceil().long()[:, None]
        rows = (pixels + down).clamp(0, size - 1)[:, :, None] * size
        where = rows + (pixels + right).clamp(0, size - 1)[:, None, :]
        made += weight * flat.gather(2, where.flatten(1)[:, None].expand_as(flat))
    return made.view(x.shape)


def _smooth(x: Tensor, sigma: float) -> Tensor:
    return _matrices.applied(x, _matrices.gaussian(x.shape[-1], sigma, TRUNCATE, "edge"))


@lru_cache(maxsize=16)
def _disk(radius: float, sigma: float) -> Tensor:
    """A disk with soft edges, float64 [side, side], of sum 1."""
    reach, width = (8, 3) if radius <= 8 else (int(radius), 5)
    line = torch.arange(-reach, reach + 1, dtype=torch.float64)
    disk = (line.square() + line.square()[:, None] <= radius**2).double()
    return _matrices.applied(disk / disk.sum(), _matrices.bell(len(line), width, sigma))


def _wandered(x: Tensor, farthest: int, draws: Draws) -> Tensor:
    """Which pixel ends where, int64 [B, C, pixels].

    From the last pixel to the first, each becomes what one nearby is by then. If that one was
    changed before, it has come from elsewhere in turn: such chains are followed to their ends, all
    at a time, in ever longer jumps. Numbers from `count` on stand for pixels as they were.
    """
    size = x.shape[-1]
    count = size * size
    right, down = draws.whole(-farthest, farthest, 2, size, size).flatten(2).unbind(1)
    pixels = torch.arange(count, device=x.device)
    line = torch.arange(size, device=x.device)
    free = (line > farthest) & (line <= size - farthest)
    free = (free[:, None] & free).flatten()
    source = torch.where(free, pixels + down * size + right, pixels)
    changed = free[source] & (source > pixels)
    jump = torch.where(changed, source, source + count)
    jump = torch.cat([jump, (pixels + count).expand_as(jump)], 1)
    while (jump[:, :count] < count).any():
        jump = jump.gather(1, jump)
    return (jump[:, :count] - count)[:, None].expand(-1, x.shape[1], -1)
