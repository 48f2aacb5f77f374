"""Mixup (Zhang et al. 2018, arXiv 1710.09412) and CutMix (Yun et al. 2019, arXiv 1905.04899)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.lazy import torch
from engine.mixing import Mix

if TYPE_CHECKING:
    from torch import Tensor


def mixed(x: Tensor, mixup: float, cutmix: float, rng: torch.Generator) -> tuple[Tensor, Mix]:
    """Mix each image with another one of its batch, by a share of its own.

    Args:
        x: [B, C, H, W] in 0..255.
        mixup, cutmix: parameters of Beta(a, a), from which shares are drawn; 0 for neither. With
            both, each image gets one or the other, as likely.

    Returns:
        float32 [B, C, H, W], and what the targets need.
    """
    count, _, height, width = x.shape
    partner = torch.randperm(count, generator=rng)
    pasted = torch.rand(count, generator=rng) < _chance(mixup, cutmix)
    kept = torch.ones(count, 1, height, width)
    if mixup:
        kept *= betas(mixup, count, rng).view(-1, 1, 1, 1)
    if cutmix:
        kept = torch.where(pasted.view(-1, 1, 1, 1), outside(cutmix, kept.shape, rng), kept)
    partner, kept = (t.to(x.device, non_blocking=True) for t in (partner, kept))
    mix = Mix(partner, kept.mean((1, 2, 3)))
    other = x.index_select(0, mix.partner)
    return torch.lerp(other.float(), x.float(), kept), mix


def _chance(mixup: float, cutmix: float) -> float:
    """How likely it is that an image is pasted into rather than mixed."""
    return 0.5 if mixup and cutmix else float(bool(cutmix))


def outside(alpha: float, shape: torch.Size, rng: torch.Generator) -> Tensor:
    """float32 [B, 1, H, W]: 0 in a box of each image, 1 around it.

    Its middle lies anywhere, its sides are those of the image times sqrt(1 - share), and the edges
    cut it: an image keeps at least its share.
    """
    count, _, height, width = shape
    size = (1 - betas(alpha, count, rng)).sqrt().view(-1, 1)
    inside = []
    for extent in (height, width):
        middle = torch.randint(extent, (count, 1), generator=rng)
        half = (0.5 * size * extent).long()
        steps = torch.arange(extent)
        inside.append((steps >= middle - half) & (steps < middle + half))
    box = inside[0].unsqueeze(2) & inside[1].unsqueeze(1)
    return (~box).float().unsqueeze(1)


def betas(alpha: float, count: int, rng: torch.Generator) -> Tensor:
    """float32 [count] from Beta(alpha, alpha), which torch draws from its global stream only."""
    import numpy as np

    seed = int(torch.randint(2**62, (), generator=rng))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, count)).float()
