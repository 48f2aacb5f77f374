"""Corruptions by noise: what sensors and transmissions add (Hendrycks & Dietterich 2019).

Of images float32 [B, C, size, size] in 0..1; what leaves that range is cut off by who calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    from engine.evaluations._draws import Draws


def gaussian_noise(x: Tensor, deviation: float, draws: Draws) -> Tensor:
    """Noise of the same strength everywhere."""
    return x + draws.normal(0.0, deviation, *x.shape[1:])


def shot_noise(x: Tensor, photons: float, draws: Draws) -> Tensor:
    """What counting few photons costs."""
    return draws.poisson(x * photons) / photons


def impulse_noise(x: Tensor, share: float, draws: Draws) -> Tensor:
    """Salt and pepper: values that become 0 or 1."""
    lost, kind = draws.uniform(0.0, 1.0, 2, *x.shape[1:]).unbind(1)
    return torch.where(lost <= share, (kind <= 0.5).to(x.dtype), x)


def speckle_noise(x: Tensor, deviation: float, draws: Draws) -> Tensor:
    """Noise that is stronger where it is bright."""
    return x + x * draws.normal(0.0, deviation, *x.shape[1:])
