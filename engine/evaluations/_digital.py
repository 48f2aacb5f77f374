"""Corruptions by digital processing (Hendrycks & Dietterich 2019).

Of images float32 [B, C, size, size] in 0..1; what leaves that range is cut off by who calls.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from engine.evaluations import _matrices
from engine.lazy import functional, torch

if TYPE_CHECKING:
    from torch import Tensor

    from engine.evaluations._draws import Draws

TRUNCATE = 3.0  # deviations after which the waves' Gaussian ends


def contrast(x: Tensor, share: float, draws: Draws) -> Tensor:
    """Values nearer to the mean of their channel."""
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) * share + mean


def saturate(x: Tensor, constants: tuple[float, float], draws: Draws) -> Tensor:
    """Stronger or weaker colours: the saturation of HSV times a factor, plus a number.

    Grey has no hue, which counts as red, as in the published images.
    """
    factor, added = constants
    value, least = x.amax(1, keepdim=True), x.amin(1, keepdim=True)
    spread = value - least
    red = x.new_tensor((0.0, 1.0, 1.0)).view(1, 3, 1, 1)
    away = torch.where(spread > 0, (value - x) / spread.clamp(min=1e-6), red)
    saturation = (spread / value.clamp(min=1e-6) * factor + added).clamp(0, 1)
    return value * (1 - saturation * away)


def pixelate(x: Tensor, share: float, draws: Draws) -> Tensor:
    """Made smaller and large again, in 8 bits after each way, as PIL's box filter."""
    size = x.shape[-1]
    small = int(size * share)
    for matrix in (_matrices.box(size, small), _matrices.box(small, size)):
        matrix = matrix.to(x.device)
        rows = _rounded(x.double() @ matrix.T)
        x = _rounded(matrix @ rows)
    return x.float()


def jpeg_compression(x: Tensor, quality: int, draws: Draws) -> Tensor:
    """Stored as JPEG of that quality."""
    import numpy as np
    from PIL import Image

    levels = (x * 255).round().to(torch.uint8).movedim(1, -1).squeeze(-1).cpu().numpy()
    made = []
    for picture in levels:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality)
        made.append(np.array(Image.open(file)))
    read = torch.from_numpy(np.stack(made)).to(x.device).view(len(x), *x.shape[2:], -1)
    return read.movedim(-1, 1).to(x.dtype) / 255


def elastic_transform(x: Tensor, constants: tuple[float, float, float], draws: Draws) -> Tensor:
    """Sheared by corners that move, then stretched in waves."""
    size = x.shape[-1]
    strength, smoothness, corners = (size * part for part in constants)
    moved = draws.uniform(-corners, corners, 3, 2).double()
    x = _sampled(x, _sheared(size, moved), "whole")
    waves = draws.uniform(-1.0, 1.0, 2, size, size).double()
    blur = _matrices.gaussian(size, smoothness, TRUNCATE, "half")
    return _sampled(x, _grid(size, x) + strength * _matrices.applied(waves, blur), "half")


def _sheared(size: int, moved: Tensor) -> Tensor:
    """Where pixels come from when three points of a square move: float64 [B, 2, size, size].

    Args:
        moved: float64 [B, 3, 2], by how much, in x and y.
    """
    centre, reach = size // 2, size // 3
    points = moved.new_tensor([(1, 1), (1, -1), (-1, -1)]) * reach + centre
    one = points.new_ones(3, 1)
    target = torch.cat([points + moved, one.expand(len(moved), 3, 1)], 2)
    back = torch.linalg.solve(target, points.expand_as(moved))  # [B, 3, 2]
    grid = torch.cat([_grid(size, moved), one.view(3, 1, 1)[:1].expand(1, size, size)])
    return torch.einsum("bij,ihw->bjhw", back, grid)


def _grid(size: int, like: Tensor) -> Tensor:
    """Every pixel's own x and y, float64 [2, size, size]."""
    line = torch.arange(size, device=like.device, dtype=torch.float64)
    return torch.stack([line.expand(size, size), line[:, None].expand(size, size)])


def _sampled(x: Tensor, where: Tensor, border: _matrices.Border) -> Tensor:
    """Linear interpolation of images at x and y, float64 [B, 2, size, size], mirrored beyond."""
    size = x.shape[-1]
    whole = border == "whole"
    scaled = 2 * where / (size - 1) - 1 if whole else (2 * where + 1) / size - 1
    return functional.grid_sample(
        x,
        scaled.movedim(1, -1).to(x.dtype),
        mode="bilinear",
        padding_mode="reflection",
        align_corners=whole,
    )


def _rounded(x: Tensor) -> Tensor:
    return (x * 255 + 0.5 + 1e-9).floor() / 255
