"""Filters of rows and columns as matrices: blurring, resampling and zooming square images.

Images are small, so that two products are as fast as a convolution, and any border will do.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

Border = Literal["edge", "half", "whole"]


def applied(x: Tensor, matrix: Tensor) -> Tensor:
    """Images [..., n, n] filtered along columns and rows by a matrix [m, n]: [..., m, m]."""
    matrix = matrix.to(x.device, x.dtype)
    return matrix @ x @ matrix.T


def inside(positions: Tensor, size: int, border: Border) -> Tensor:
    """Where pixels beyond the border are taken from.

    Those of a row a b c d continue as d d d (edge), as d c b (half, whose axis of symmetry runs
    between two pixels), or as c b a (whole, whose axis runs through the last).
    """
    if border == "edge":
        return positions.clamp(0, size - 1)
    if border == "half":
        there = positions % (2 * size)
        return torch.minimum(there, 2 * size - 1 - there)
    period = max(1, 2 * size - 2)
    there = positions % period
    return torch.minimum(there, period - there)


@lru_cache(maxsize=64)
def gaussian(size: int, sigma: float, truncate: float, border: Border) -> Tensor:
    """A Gaussian blur, float64 [size, size], cut off at `truncate` deviations, as scipy does."""
    if not sigma:
        return torch.eye(size, dtype=torch.float64)
    radius = int(truncate * sigma + 0.5)
    return _filter(size, _bell(radius, sigma), border)


@lru_cache(maxsize=64)
def bell(size: int, width: int, sigma: float) -> Tensor:
    """A Gaussian blur of `width` pixels, float64 [size, size], as OpenCV does."""
    return _filter(size, _bell(width // 2, sigma), "whole")


@lru_cache(maxsize=8)
def mean(size: int, width: int) -> Tensor:
    """The mean of `width` pixels, float64 [size, size]."""
    return _filter(size, torch.full((width,), 1 / width, dtype=torch.float64), "whole")


@lru_cache(maxsize=64)
def box(size: int, made: int) -> Tensor:
    """To another size, float64 [made, size], as PIL's box filter: means of whole pixels."""
    scale = size / made
    support = 0.5 * max(scale, 1.0)
    matrix = torch.zeros(made, size, dtype=torch.float64)
    for row in range(made):
        centre = (row + 0.5) * scale
        for column in range(int(centre - support + 0.5), min(size, int(centre + support + 0.5))):
            matrix[row, column] = -0.5 < (column + 0.5 - centre) / max(scale, 1.0) <= 0.5
    return matrix / matrix.sum(1, keepdim=True)


@lru_cache(maxsize=128)
def zoom(size: int, factor: float) -> Tensor:
    """The centre of an image, enlarged linearly to its size again, float64 [size, size]."""
    part = math.ceil(size / factor)
    whole = round(part * factor)
    top, trim = (size - part) // 2, (whole - size) // 2
    rows = torch.arange(trim, trim + size, dtype=torch.float64)
    at = rows * ((part - 1) / max(1, whole - 1))
    low = at.floor().clamp(0, part - 1)
    share = at - low
    matrix = torch.zeros(size, size, dtype=torch.float64)
    near = low.long()[:, None] + top
    matrix.scatter_add_(1, near, (1 - share)[:, None])
    return matrix.scatter_add_(1, (near + 1).clamp(max=top + part - 1), share[:, None])


def _bell(radius: int, sigma: float) -> Tensor:
    """Weights of a Gaussian, float64 [2 radius + 1]."""
    away = torch.arange(-radius, radius + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (away / sigma).square())
    return weights / weights.sum()


def _filter(size: int, weights: Tensor, border: Border) -> Tensor:
    """float64 [size, size]: a convolution with symmetric weights, float64 [odd]."""
    away = torch.arange(len(weights)) - len(weights) // 2
    where = inside(torch.arange(size)[:, None] + away, size, border)
    matrix = torch.zeros(size, size, dtype=torch.float64)
    return matrix.scatter_add_(1, where, weights.expand(size, -1))
