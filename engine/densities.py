"""Allocations: how many weights each layer keeps when a network is to keep a given share of all."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Literal

from engine.errors import SpecError, some

Allocation = Literal["uniform", "er", "erk"]
Shapes = Mapping[str, tuple[int, ...]]


def count(total: int, density: float) -> int:
    """How many of `total` weights are kept at a density: at least one."""
    return max(1, round(density * total))


def counts(
    shapes: Shapes,
    density: float,
    allocation: Allocation,
    power: float = 1.0,
    dense: Collection[str] = (),
) -> dict[str, int]:
    """The number of weights that each layer keeps; together exactly round(density * total).

    A layer's density is the same everywhere (`uniform`), or in proportion to
    (n_in + n_out) / (n_in * n_out) (`er`; Mocanu et al. 2018), or to
    (n_in + n_out + width + height) / (n_in * n_out * width * height) (`erk`; Evci et al. 2020).
    A layer that would get more weights than it has is dense, and the others share what is left.

    Args:
        shapes: name -> shape of the weights, outputs first.
        density: kept fraction of all the weights, at least one of them.
        power: exponent of the proportions of `er` and `erk`; 0 is uniform.
        dense: names of layers that keep everything. The others keep fewer for it: the total stays.

    Raises:
        SpecError: the dense layers alone have more weights than may be kept.
    """
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    kept = count(sum(sizes.values()), density)
    weights = {name: _proportion(shape, allocation) ** power for name, shape in shapes.items()}
    full = set(dense)
    while True:
        left = besides(sizes, kept, full)
        others = {name: weights[name] * size for name, size in sizes.items() if name not in full}
        scale = left / sum(others.values()) if others else 0.0
        over = {name for name in others if scale * weights[name] > 1}
        if not over:
            break
        full |= over
    exact = {name: scale * others[name] if name in others else sizes[name] for name in sizes}
    return rounded(exact, kept)


def besides(sizes: Mapping[str, int], kept: int, dense: Collection[str]) -> int:
    """How many of the `kept` weights are left for the layers that are not `dense`.

    Raises:
        SpecError: fewer than none.
    """
    left = kept - sum(sizes[name] for name in dense)
    if left < 0:
        raise SpecError(
            f"the layers kept dense ({some([name for name in sizes if name in dense])}) have"
            f" {kept - left} weights, but the density keeps {kept} of {sum(sizes.values())} in all;"
            " raise the density or keep fewer layers dense",
            "sparsifier.keep_dense",
        )
    return left


def rounded(exact: Mapping[str, float], total: int) -> dict[str, int]:
    """Round numbers that sum to `total` to integers that do, the largest remainders upwards.

    Among equal remainders the earlier goes up.
    """
    whole = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: whole[name] - exact[name])
    for name in by_remainder[: total - sum(whole.values())]:
        whole[name] += 1
    return whole


def named(shapes: Shapes, which: str) -> tuple[str, ...]:
    """The layers that `which` names: `none`, `first`, `last`, `first+last`, or `re:` and a regular
    expression that is searched in their names.

    Raises:
        SpecError: the expression matches none.
    """
    names = tuple(shapes)
    if which.startswith("re:"):
        found = tuple(name for name in names if re.search(which[3:], name))
        if not found:
            raise SpecError(
                f"'{which}' matches none of the prunable layers: {some(names)}",
                "sparsifier.keep_dense",
            )
        return found
    ends = {
        "none": (),
        "first": names[:1],
        "last": names[-1:],
        "first+last": names[:1] + names[-1:],
    }
    return tuple(dict.fromkeys(ends[which]))


def _proportion(shape: tuple[int, ...], allocation: Allocation) -> float:
    if allocation == "uniform":
        return 1.0
    sides = shape[:2] if allocation == "er" else shape
    return sum(sides) / math.prod(sides)
