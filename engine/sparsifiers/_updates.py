"""One mask update, taken apart: what a layer drops, what it grows, and how layers share it.

A unit is what a mask keeps or prunes as one: a weight, or the block of all weights between one
input and one output channel (`structure: channel`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
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


def drop_count(fraction: float, kept: int) -> int:
    """How many of `kept` units a layer drops: the share, rounded up."""
    return min(kept, math.ceil(fraction * kept - 1e-9))


def drop_shares(
    alpha: float, shares: Mapping[str, float], sparsity: Mapping[str, float]
) -> dict[str, float]:
    """What each layer drops where layers exchange weights: `alpha`, or less if it is nearly full.

    A layer with less than a fifth of its weights pruned and a share of the growth above the mean
    drops at most the fraction that it has pruned (Dettmers & Zettlemoyer 2019, in their code).
    """
    mean = 1 / len(shares)
    return {
        name: min(alpha, sparsity[name]) if sparsity[name] < 0.2 and share > mean else alpha
        for name, share in shares.items()
    }


def importance(scores: Mapping[str, Tensor], alive: Mapping[str, Tensor]) -> dict[str, float]:
    """Each layer's share, adding to 1, of the mean magnitudes of `scores` over live weights.

    Where there is nothing to go by, all are zero.
    """
    means = torch.stack([(s.abs() * alive[n]).sum() / alive[n].sum() for n, s in scores.items()])
    means = means.double().nan_to_num(nan=0.0, posinf=0.0)
    shares: list[float] = (means / means.sum()).nan_to_num(nan=0.0).tolist()
    return dict(zip(scores, shares, strict=True))


def regrowth(shares: Mapping[str, float], total: int, room: Mapping[str, int]) -> dict[str, float]:
    """How many of `total` weights each layer grows: in proportion to `shares` where there is room.

    A layer takes at most 99 % of its room; what is too much for it goes to all layers alike, until
    nothing is left over (Dettmers & Zettlemoyer 2019, in their code; it rounds at once and mends
    the count at later updates, while here the whole number is exact at each).

    Args:
        room: name -> free weights after the drop; together at least `total`.
    """
    grown = {name: share * total for name, share in shares.items()}
    for _ in range(1000):
        over = {name: max(0.0, grown[name] - 0.99 * room[name]) for name in grown}
        residual = sum(over.values())
        if residual <= 1e-9 * total:
            return grown
        grown = {name: grown[name] - over[name] + residual / len(grown) for name in grown}
    free = sum(room.values())  # the layers are too full for that rule
    return {name: total * space / free for name, space in room.items()}


def in_units(
    exact: Mapping[str, float], block: Mapping[str, int], room: Mapping[str, int], total: int
) -> dict[str, int]:
    """Round numbers of weights to whole units, the largest remainders upwards.

    They hold exactly `total` weights where units are single weights, else as many whole units of it
    as there are.

    Args:
        exact: name -> weights.
        block: name -> weights in a unit.
        room: name -> units that there are at most.
    """
    units = {name: min(int(exact[name] / block[name] + 1e-9), room[name]) for name in exact}
    left = total - sum(count * block[name] for name, count in units.items())
    remainder = {name: exact[name] / block[name] - units[name] for name in units}
    for name in sorted(units, key=lambda name: -remainder[name]):
        if block[name] <= left and units[name] < room[name]:
            units[name] += 1
            left -= block[name]
    return units


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
