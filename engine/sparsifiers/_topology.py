"""Where a sparse network's connections are at first: at random, or as an earlier run left them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from engine import densities, masks, plugin, tickets
from engine.errors import SpecError, some
from engine.lazy import torch
from engine.sources import Source, check_usable
from engine.sparsifiers import _shares, _updates
from engine.spec import RunSpec

if TYPE_CHECKING:
    from torch import Tensor


class TopologySettings(plugin.AllocationSettings):
    """How many weights live, in which layers, and in which units."""

    allocation: Literal["uniform", "er", "erk"] = Field(
        "erk",
        description="how layers share the weights: each alike (uniform), or more in layers with few"
        " inputs and outputs (er) and small kernels (erk, as RigL)",
    )
    structure: Literal["weight", "channel"] = Field(
        "weight",
        description="what lives or is pruned as one: each weight, or all weights between one input"
        " and one output channel (channel), where linear layers stay dense and the others are the"
        " sparser for it; as many whole blocks as the density allows",
    )


def fixed(weights: Mapping[str, Tensor], settings: TopologySettings) -> set[str]:
    """The layers that stay dense throughout."""
    shapes = masks.shapes(weights)
    linear = {name for name, shape in shapes.items() if len(shape) < 3}
    dense = set(densities.named(shapes, settings.keep_dense))
    return dense | linear if settings.structure == "channel" else dense


def blocks(weights: Mapping[str, Tensor], settings: TopologySettings) -> dict[str, int]:
    """The number of weights in a unit of each layer."""
    if settings.structure == "weight":
        return dict.fromkeys(weights, 1)
    return {name: math.prod(weight.shape[2:]) for name, weight in weights.items()}


def kept_units(weights: Mapping[str, Tensor], settings: TopologySettings) -> dict[str, int]:
    """How many units live in each layer, by the shapes of its weights alone.

    Raises:
        SpecError: the layers to keep dense do not fit.
    """
    s, block, dense = settings, blocks(weights, settings), fixed(weights, settings)
    try:
        kept = densities.counts(masks.shapes(weights), s.density, s.allocation, s.power, dense)
    except SpecError as error:
        if s.structure == "weight":
            raise
        why = f"{error} (structure: channel keeps linear layers dense)"
        raise SpecError(why, "sparsifier.structure") from None
    room = {name: weights[name].numel() // block[name] for name in block}
    return _shares.in_units(kept, block, room, sum(kept.values()))


def draw(
    weights: Mapping[str, Tensor], settings: TopologySettings, rng: torch.Generator
) -> masks.Mask:
    """A random mask at the settings' density.

    Args:
        weights: name -> weight, such as [out, in, height, width].
        rng: on the CPU; the same numbers as for a random mask of the same allocation.

    Raises:
        SpecError: the layers to keep dense do not fit.
    """
    units = kept_units(weights, settings)
    mask = masks.Mask()
    for name, weight in weights.items():
        shape = weight.shape if settings.structure == "weight" else weight.shape[:2]
        noise = torch.rand(shape, generator=rng)
        chosen = masks.keep_top({name: noise}, units[name])[name]
        mask[name] = _updates.spread(chosen, weight.shape)
    return mask


def check_alive(weights: Mapping[str, Tensor], settings: TopologySettings) -> None:
    """Refuse what leaves nothing of a layer to exchange, by the shapes of its weights alone.

    Raises:
        SpecError: which layers; or those to keep dense do not fit.
    """
    empty = [name for name, count in kept_units(weights, settings).items() if not count]
    if empty:
        raise SpecError(
            f"density {settings.density} with allocation {settings.allocation} leaves nothing of"
            f" {some(empty)}, which could never grow again; raise the density, keep these"
            " layers dense (keep_dense), or leave them out of prunable",
            "sparsifier.density",
        )


def check_source(source: Source, settings: TopologySettings, spec: RunSpec) -> None:
    """Refuse a ticket whose mask cannot be taken; reads its card alone.

    Raises:
        SpecError: `at` names the field to change.
    """
    at = "sparsifier.source"
    check_usable(source, spec, at)
    if source.dense:
        raise SpecError(
            f"{source} has all its weights, so there is nothing to exchange; name a sparse level,"
            " such as RUN:last",
            at,
        )
    if source.prunable != settings.prunable:
        raise SpecError(
            f"the mask of {source} covers {source.prunable}, but prunable is {settings.prunable};"
            f" write prunable: {source.prunable}",
            "sparsifier.prunable",
        )


def taken(source: Source, settings: TopologySettings, names: Iterable[str]) -> masks.Mask:
    """The mask of a ticket, in the order of its weights' names here.

    Raises:
        SpecError: it keeps no whole blocks where there should be some.
        Damaged: the ticket cannot be read.
    """
    mask = tickets.of(source).mask
    for name, alive in mask.items():
        units = _updates.gathered(alive, settings.structure)
        if not torch.equal(_updates.spread(units, alive.shape), alive):
            raise SpecError(
                f"the mask of {source} keeps single weights of {name}, so that its blocks cannot"
                " live or be pruned as one; use structure: weight",
                "sparsifier.structure",
            )
    return masks.Mask({name: mask[name] for name in names})
