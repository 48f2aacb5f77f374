"""Masks: which weights live. Bool tensors held outside the network, with exact counts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeVar

from engine import densities
from engine.errors import SpecError
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.plugin import AllocationSettings


T = TypeVar("T", bound="Tensor")


class Mask(dict[str, "Tensor"]):
    """Parameter name -> bool tensor of the parameter's shape; True is a weight that lives."""

    @property
    def kept(self) -> int:
        """Number of weights that live."""
        return sum(int(m.sum()) for m in self.values())

    @property
    def total(self) -> int:
        """Number of prunable weights."""
        return sum(m.numel() for m in self.values())

    @property
    def density(self) -> float:
        """Kept fraction of the prunable weights."""
        return self.kept / self.total if self.total else 1.0

    def to(self, device: torch.device | str) -> Mask:
        """The same mask on another device."""
        return Mask({name: m.to(device) for name, m in self.items()})

    def same(self, other: Mask) -> bool:
        """Whether the same weights live."""
        return self.keys() == other.keys() and all(
            torch.equal(m, other[n]) for n, m in self.items()
        )


def prunable(net: nn.Module, which: str) -> dict[str, nn.Parameter]:
    """The parameters that `which` allows to prune, in the network's order.

    Args:
        which: `conv` (all convolutions), `conv-no-first`, `conv+linear`, `linear` (all linear maps
            but the last, which tells classes apart), `attention` or `mlp` (those of a transformer),
            or `re:` and a regular expression that is searched in the names of all parameters with
            at least two dimensions. Nothing of a projection that only training has (see
            `nt_xent`) is among them.

    Raises:
        SpecError: nothing matches.
    """
    found = matching(dict(net.named_parameters()), which)
    if not found:
        raise SpecError(
            f"prunable '{which}' matches no weights of this network", "sparsifier.prunable"
        )
    return found


def matching(weights: Mapping[str, T], which: str) -> dict[str, T]:
    """Those of a network's tensors, in its order, that `which` allows to prune; see `prunable`."""
    found = {name: p for name, p in weights.items() if _matches(name, p, which)}
    beyond = {"conv-no-first": slice(1, None), "linear": slice(-1)}.get(which, slice(None))
    return {name: p for name, p in list(found.items())[beyond] if "projection" not in name}


def ones(weights: Mapping[str, Tensor]) -> Mask:
    """The mask that keeps everything."""
    return Mask({name: torch.ones_like(p, dtype=torch.bool) for name, p in weights.items()})


def keep_top(
    scores: Mapping[str, Tensor],
    kept: int,
    within: Mask | None = None,
    scope: Literal["global", "layer"] = "global",
) -> Mask:
    """The mask of the `kept` weights with the highest scores, ties going to the earlier position.

    A score that is no number ranks lowest.

    Args:
        scores: parameter name -> score tensor.
        kept: how many weights live, exactly.
        within: only weights that live here may live on.
        scope: rank over all parameters, or within each; then each keeps its share of `kept` (of
            its weights in `within`), fractions going to the largest remainders.
    """
    if scope == "layer":
        counts = share(
            {n: int(within[n].sum()) if within else s.numel() for n, s in scores.items()}, kept
        )
        return keep_top_per_layer(scores, counts, within)
    names = list(scores)
    flat = torch.cat([scores[n].detach().flatten() for n in names])
    flat = flat.masked_fill(flat.isnan(), float("-inf"))
    if within is None:
        chosen = _highest(flat, kept)
    else:
        chosen = torch.cat([within[n].flatten() for n in names])
        chosen[chosen.clone()] = _highest(flat[chosen], kept)
    parts = chosen.split([scores[n].numel() for n in names])  # type: ignore[no-untyped-call]
    return Mask({n: part.view(scores[n].shape) for n, part in zip(names, parts, strict=True)})


def keep_top_per_layer(
    scores: Mapping[str, Tensor], counts: Mapping[str, int], within: Mask | None = None
) -> Mask:
    """The mask of the `counts[name]` highest scores of each parameter."""
    mask = Mask()
    for name, score in scores.items():
        inside = Mask({name: within[name]}) if within is not None else None
        mask.update(keep_top({name: score}, counts[name], inside))
    return mask


def allocate(
    scores: Mapping[str, Tensor], settings: AllocationSettings, density: float | None = None
) -> Mask:
    """The mask of the highest scores at the settings' density, spread as the settings say.

    Args:
        density: instead of the settings' own.

    Raises:
        SpecError: the layers to keep dense do not fit into the density.
    """
    density = settings.density if density is None else density
    counts = allotted(scores, settings, density)
    if counts is not None:
        return keep_top_per_layer(scores, counts)
    kept = densities.count(sum(score.numel() for score in scores.values()), density)
    dense = densities.named(shapes(scores), settings.keep_dense)
    ends = {name: torch.full_like(scores[name], float("inf")) for name in dense}
    return keep_top({**scores, **ends}, kept)


def allotted(
    weights: Mapping[str, Tensor], settings: AllocationSettings, density: float
) -> dict[str, int] | None:
    """How many weights each layer keeps; None where that is left to the scores (global).

    Args:
        weights: name -> weight; only the shapes count.

    Raises:
        SpecError: there are no such layers to keep dense, or they do not fit into the density.
    """
    s, sides = settings, shapes(weights)
    dense = densities.named(sides, s.keep_dense)
    if s.allocation != "global":
        return densities.counts(sides, density, s.allocation, s.power, dense)
    sizes = {name: weight.numel() for name, weight in weights.items()}
    densities.besides(sizes, densities.count(sum(sizes.values()), density), dense)
    return None


def shapes(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The shapes of tensors, as allocations go by."""
    return {name: tuple(weight.shape) for name, weight in weights.items()}


def share(sizes: Mapping[str, int], kept: int) -> dict[str, int]:
    """Split `kept` in proportion to `sizes`, exactly, the largest remainders rounded up."""
    total = sum(sizes.values())
    return densities.rounded({name: kept * size / total for name, size in sizes.items()}, kept)


def _highest(values: Tensor, kept: int) -> Tensor:
    """Where the `kept` highest of some numbers are; of equal ones, the earlier.

    The same as sorting them, in a fraction of the time.
    """
    kept = min(kept, len(values))
    if kept == 0:
        return torch.zeros_like(values, dtype=torch.bool)
    last = values.kthvalue(len(values) - kept + 1).values
    above, ties = values > last, values == last
    return above | ties & (ties.cumsum(0) <= kept - above.sum())


def _matches(name: str, parameter: Tensor, which: str) -> bool:
    if which.startswith("re:"):
        return parameter.ndim >= 2 and re.search(which[3:], name) is not None
    # a transformer's embedding of patches convolves nothing, and its positions are no weights
    convolves = parameter.ndim > 2 and name.endswith("weight") and "patch_embed" not in name
    match which:
        case "conv" | "conv-no-first":
            return convolves
        case "conv+linear":
            return convolves or parameter.ndim == 2
        case "attention":
            return parameter.ndim == 2 and ".attn." in name
        case "mlp":
            return parameter.ndim == 2 and ".mlp." in name
    return parameter.ndim == 2


def layout(tensor: Tensor) -> torch.memory_format:
    """The memory format a tensor is stored in."""
    if tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last):
        return torch.channels_last
    return torch.contiguous_format
