"""PIL's integer and single-precision arithmetic on grey levels, so that results equal its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


def blend(plain: Tensor, x: Tensor, factor: Tensor) -> Tensor:
    """plain + factor * (x - plain), cut off to a whole level in 0..255, as `Image.blend`.

    Args:
        plain, x: levels [n, ...], of shapes that broadcast.
        factor: float64 [n]; 0 gives `plain`, 1 gives `x`.

    Returns:
        uint8 [n, ...]
    """
    plain, x = plain.float(), x.float()
    factor = factor.float().view(-1, *[1] * (x.dim() - 1))
    return to_levels((x - plain).mul_(factor).add_(plain))


def to_levels(x: Tensor) -> Tensor:
    """uint8: the whole part, cut off to 0..255. By way of int32, which CPUs do many of at once."""
    return x.clamp(0, 255).int().to(torch.uint8)


def luma(x: Tensor) -> Tensor:
    """Brightness by ITU-R 601, as `Image.convert("L")`.

    Args:
        x: uint8 [n, 3, H, W].

    Returns:
        int32 [n, 1, H, W] in 0..255
    """
    red, green, blue = x.int().unbind(1)
    return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).unsqueeze(1)


def is_rgb(x: Tensor) -> bool:
    """Whether colour means anything; other images are bands, each a grey image of its own."""
    return x.shape[1] == 3
