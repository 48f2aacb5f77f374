"""Colours of images that are grey or in colour: [B, 1 or 3, H, W] in 0..1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def grey(x: Tensor) -> Tensor:
    """How bright pixels are, [B, 1, H, W]."""
    if x.shape[1] == 1:
        return x
    return (x * x.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)


def of(x: Tensor, colour: tuple[float, float, float]) -> Tensor:
    """A colour as images like `x` show it, [1, C, 1, 1]."""
    shown = torch.tensor(colour, dtype=x.dtype, device=x.device).view(1, 3, 1, 1)
    return grey(shown) if x.shape[1] == 1 else shown
