"""Corruptions by weather (Hendrycks & Dietterich 2019).

Of images float32 [B, C, size, size] in 0..1; what leaves that range is cut off by who calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.evaluations import _blurs, _colours, _matrices
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    from engine.evaluations._draws import Draws

ICE = (0.57, 0.65, 0.70)  # mean colour of the photographs of frost that CIFAR-10-C is made with
VARIED, ROUGH = 0.15, 0.08  # how far these differ in brightness, and deviation within 32 pixels
NEEDLES, SHARE = 5, 0.04  # ways that drawn crystals grow, and share of pixels where one begins


def snow(x: Tensor, constants: tuple[float, ...], draws: Draws) -> Tensor:
    """Flakes that fall, once down and once up, before a whitened image."""
    mean, deviation, zoom, threshold, radius, sigma, own = constants
    size = x.shape[-1]
    flakes = draws.normal(mean, deviation, 1, size, size)
    flakes = _matrices.applied(flakes, _matrices.zoom(size, zoom))
    flakes = torch.where(flakes < threshold, 0.0, flakes).clamp(0, 1)
    falling = draws.uniform(-135.0, -45.0)
    flakes = _blurs.moved((flakes * 255).floor() / 255, int(radius), sigma, falling)
    flakes = (flakes * 255).round() / 255
    white = torch.maximum(x, _colours.grey(x) * 1.5 + 0.5)
    return own * x + (1 - own) * white + flakes + flakes.flip(2, 3)


def frost(x: Tensor, constants: tuple[float, float], draws: Draws) -> Tensor:
    """Ice before the image. It is drawn, where the original shows parts of five photographs.

    Needles in several directions on a rough ground; mean colour, deviation and differences in
    brightness are those of the photographs, the shapes are not.
    """
    own, share = constants
    size = x.shape[-1]
    ice = fractal(size, 1.6, draws)[:, None]
    for _ in range(NEEDLES):
        seeds = (draws.uniform(0.0, 1.0, 1, size, size) < SHARE).to(x.dtype)
        length = max(2, size // 6)
        ice = ice + length * _blurs.moved(seeds, length, length / 2, draws.uniform(0.0, 360.0)) / 2
    ice = ice - ice.mean((2, 3), keepdim=True)
    ice = ROUGH * ice / ice.std((2, 3), keepdim=True).clamp(min=1e-6)
    ice = ice + draws.uniform(-VARIED, VARIED, 1, 1, 1)
    return own * x + share * (ice + _colours.of(x, ICE)).clamp(0, 1)


def fog(x: Tensor, constants: tuple[float, float], draws: Draws) -> Tensor:
    """A bright cloud, so that the brightest stays as bright."""
    amount, decay = constants
    brightest = x.amax((1, 2, 3), keepdim=True)
    fogged = x + amount * fractal(x.shape[-1], decay, draws)[:, None]
    return fogged * brightest / (brightest + amount)


def brightness(x: Tensor, added: float, draws: Draws) -> Tensor:
    """More of the value of HSV; of hue and saturation as much as before."""
    value = x.amax(1, keepdim=True)
    raised = (value + added).clamp(max=1)
    return torch.where(value > 0, x * raised / value.clamp(min=1e-6), raised)


def fractal(size: int, decay: float, draws: Draws) -> Tensor:
    """A rough landscape [B, size, size] in 0..1, by squares and diamonds in turn.

    Heights are the sum of four neighbours, divided by four, and of noise that `decay` makes weaker
    from scale to scale.
    """
    side = 1 << (size - 1).bit_length()
    step, rough = side, 100.0
    corner = draws.uniform(0.0, 0.0, side, side)

    def between(total: Tensor) -> Tensor:
        return total / 4 + rough * draws.uniform(-rough, rough, *total.shape[1:])

    while step >= 2:
        half = step // 2
        corners = corner[:, ::step, ::step]
        pairs = corners + corners.roll(-1, 1)
        corner[:, half::step, half::step] = between(pairs + pairs.roll(-1, 2))
        centres = corner[:, half::step, half::step]
        across = centres + centres.roll(1, 1) + corners + corners.roll(-1, 2)
        corner[:, ::step, half::step] = between(across)
        along = centres + centres.roll(1, 2) + corners + corners.roll(-1, 1)
        corner[:, half::step, ::step] = between(along)
        step, rough = half, rough / decay
    corner = corner - corner.amin((1, 2), keepdim=True)
    return (corner / corner.amax((1, 2), keepdim=True))[:, :size, :size]
