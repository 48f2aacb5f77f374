"""Adversarial images, made in pixel space (Madry et al. 2018, https://arxiv.org/abs/1706.06083)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from engine.trainspec import AdvProp

GRID = 2**16  # parts of a grey level: float32 holds 0..255 in steps of these without rounding


def attacked(
    x: Tensor, objective: Callable[[Tensor], Tensor], settings: AdvProp, rng: torch.Generator
) -> Tensor:
    """Images to train on, that lie near `x`; see `ascended`.

    Args:
        rng: a CPU generator; the same state gives the same start on any device.
    """
    start = _start(x, settings, rng)
    return ascended(x, objective, start, settings.epsilon, settings.step, settings.steps)


def ascended(
    x: Tensor,
    objective: Callable[[Tensor], Tensor],
    start: Tensor,
    epsilon: float,
    step: float,
    steps: int,
) -> Tensor:
    """Images that projected gradient ascent on `objective` finds near `x`.

    Args:
        x: [B, C, H, W] in 0..255, of any type.
        objective: a scalar of such images in float32.
        start: where it begins, relative to x.
        epsilon: how far a value may move, in grey levels.
        step: how far each of `steps` steps moves it.

    Returns:
        float32 [B, C, H, W] in 0..255. If x is whole, no value is further than epsilon from its own
        by as little as a rounding error.
    """
    x = x.to(torch.float32)
    epsilon = math.floor(epsilon * GRID) / GRID
    low, high = (x - epsilon).clamp_(min=0), (x + epsilon).clamp_(max=255)
    found = (x + start).clamp_(low, high)
    for _ in range(steps):
        found.requires_grad_()
        (gradient,) = torch.autograd.grad(objective(found), found)
        found = (found.detach() + step * gradient.sign()).clamp_(low, high)
    return found.detach()


def _start(x: Tensor, settings: AdvProp, rng: torch.Generator) -> Tensor:
    """Noise within epsilon for the share of images that begin elsewhere, and zero for the rest."""
    moved = torch.rand(len(x), 1, 1, 1, generator=rng) < settings.start
    noise = torch.rand(x.shape, generator=rng).mul_(2).sub_(1).mul_(settings.epsilon)
    return (noise * moved).to(x.device, non_blocking=True)
