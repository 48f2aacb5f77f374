"""What a mask update does to one layer: which units it drops and grows, and with what values.

A unit is what a mask keeps or prunes as one: a weight, or the block of all weights between one
input and one output channel (`structure: channel`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine import masks
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

Structure = Literal["weight", "channel"]
Reduce = Literal["mean", "max", "min"]
GrowInit = Literal["zeros", "initial", "normal", "uniform", "gradient", "sign"]


@dataclass(frozen=True)
class Exchange:
    """What an update does to a layer, as bool tensors over its units.

    Attributes:
        alive: the units that live afterwards.
        stayed: those that the drop left.
    """

    alive: Tensor
    stayed: Tensor


def exchange(alive: Tensor, magnitude: Tensor, drop: int, score: Tensor, grow: int) -> Exchange:
    """Drop the `drop` live units of least magnitude, then grow the `grow` of highest score.

    Units just dropped may grow again, as in RigL's code. Ties go to the earlier position.

    Args:
        alive, magnitude, score: tensors of one shape, over units.
    """
    stay = int(alive.sum()) - drop
    stayed = masks.keep_top({"": magnitude}, stay, within=masks.Mask({"": alive}))[""]
    grown = masks.keep_top({"": score}, grow, within=masks.Mask({"": ~stayed}))[""]
    return Exchange(stayed | grown, stayed)


def reduced(values: Tensor, structure: Structure, by: Reduce) -> Tensor:
    """A magnitude for each unit of a layer: of its only weight, or the `by` of a block's.

    Args:
        values: tensor of the layer's shape; its absolute values count.
    """
    values = values.detach().abs()
    if structure == "weight" or values.ndim < 3:
        return values
    match by:
        case "mean":
            return values.flatten(2).mean(-1)
        case "max":
            return values.flatten(2).amax(-1)
        case "min":
            return values.flatten(2).amin(-1)


def spread(units: Tensor, shape: torch.Size) -> Tensor:
    """A bool tensor over weights from one over units."""
    if units.shape == shape:
        return units
    return units.view(*units.shape, *(1 for _ in shape[units.ndim :])).expand(shape).contiguous()


def gathered(mask: Tensor, structure: Structure) -> Tensor:
    """A bool tensor over units from one over weights, which live or not as whole units."""
    return mask if structure == "weight" or mask.ndim < 3 else mask.flatten(2)[..., 0]


def initial_values(
    how: GrowInit,
    weight: Tensor,
    alive: Tensor,
    start: Tensor,
    gradient: Tensor,
    rng: torch.Generator,
) -> Tensor:
    """Values for new connections of a layer, of the weight's shape, as in RigL's code.

    Args:
        how: `zeros`; `initial`, the layer's initial weights in random order; `normal` or `uniform`,
            random with the standard deviation or within the mean magnitude of the live weights;
            `gradient`, or its `sign`.
        start: the layer's weights before training.
        rng: on the CPU.
    """
    live = weight.detach()[alive]
    match how:
        case "zeros":
            values = torch.zeros_like(weight)
        case "initial":
            order = torch.randperm(weight.numel(), generator=rng).to(weight.device)
            values = start.to(weight.device).flatten()[order].view(weight.shape)
        case "normal":
            noise = torch.randn(weight.shape, generator=rng).to(weight)
            values = noise * live.std(correction=0)
        case "uniform":
            noise = 2 * torch.rand(weight.shape, generator=rng).to(weight) - 1
            values = noise * live.abs().mean()
        case "gradient":
            values = gradient
        case "sign":
            values = gradient.sign()
    return values
