"""How many units each layer drops and grows in a mask update: exact counts, plain numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Layer:
    """How many weights of a layer live, how many there are, and how many make a unit."""

    weights: int
    of: int
    block: int = 1

    @property
    def kept(self) -> int:
        """Units that live."""
        return self.weights // self.block

    @property
    def whole(self) -> int:
        """Units that there are."""
        return self.of // self.block

    @property
    def sparsity(self) -> float:
        """Pruned share."""
        return 1 - self.weights / self.of


Layers = Mapping[str, Layer]
Counts = dict[str, tuple[int, int]]


def alike(layers: Layers, alpha: float) -> Counts:
    """By layer, how many units it drops and grows again: a share `alpha`, rounded up.

    Layers that are full are left out: they could only grow what they drop.
    """
    drops = {name: _drop(alpha, one) for name, one in layers.items() if one.kept < one.whole}
    return {name: (drop, drop) for name, drop in drops.items()}


def shared(layers: Layers, alpha: float, shares: Mapping[str, float], spare: int) -> Counts:
    """By layer, how many units it drops, and how many it grows of all that are dropped.

    No layer loses its last one, since it would have nothing to go by at the next update.

    Args:
        shares: each layer's share of the growth, adding to 1.
        spare: weights to grow besides those that are dropped.
    """
    alphas = drop_shares(alpha, shares, {name: one.sparsity for name, one in layers.items()})
    drops = {
        name: min(_drop(alphas[name], one), max(0, one.kept - 1)) for name, one in layers.items()
    }
    room = {name: one.whole - one.kept + drops[name] for name, one in layers.items()}
    total = spare + sum(drops[name] * one.block for name, one in layers.items())
    space = {name: room[name] * one.block for name, one in layers.items()}
    block = {name: one.block for name, one in layers.items()}
    grows = in_units(regrowth(shares, total, space), block, room, total)
    return {name: (drops[name], grows[name]) for name in layers}


def drop_shares(
    alpha: float, shares: Mapping[str, float], sparsity: Mapping[str, float]
) -> dict[str, float]:
    """What each layer drops where layers share the growth: `alpha`, or less if it is nearly full.

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
    nothing is left over (Dettmers & Zettlemoyer 2019, in their code, which rounds at once and mends
    the count at later updates; here the whole number is exact at each).

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
    as one round over the layers finds place for.

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


def _drop(share: float, layer: Layer) -> int:
    return min(layer.kept, math.ceil(share * layer.kept - 1e-9))
