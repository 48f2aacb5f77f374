"""Adversarial images, made in pixel space (Madry et al. 2018, https://arxiv.org/abs/1706.06083)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine.trainspec import AdvProp


def attacked(
    x: Tensor, objective: Callable[[Tensor], Tensor], settings: AdvProp, rng: torch.Generator
) -> Tensor:
    """Images that projected gradient ascent on `objective` finds near `x`.

    Args:
        x: [B, C, H, W] in 0..255, of any type.
        objective: a scalar of such images in float32.
        rng: a CPU generator; the same state gives the same start on any device.

    Returns:
        float32 [B, C, H, W] in 0..255, no value further than `settings.epsilon` from that of x.
    """
    x = x.to(torch.float32)
    low, high = (x - settings.epsilon).clamp_(min=0), (x + settings.epsilon).clamp_(max=255)
    found = (x + _start(x, settings, rng)).clamp_(low, high)
    for _ in range(settings.steps):
        found.requires_grad_()
        (gradient,) = torch.autograd.grad(objective(found), found)
        found = (found.detach() + settings.step * gradient.sign()).clamp_(low, high)
    return found.detach()


def _start(x: Tensor, settings: AdvProp, rng: torch.Generator) -> Tensor:
    """Noise within epsilon for the share of images that begin elsewhere, and zero for the rest."""
    moved = torch.rand(len(x), 1, 1, 1, generator=rng) < settings.start
    noise = torch.rand(x.shape, generator=rng).mul_(2).sub_(1).mul_(settings.epsilon)
    return (noise * moved).to(x.device, non_blocking=True)
