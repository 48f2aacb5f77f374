"""A network without the channels that can go, which says the same: see `_channels`."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from engine import masks
from engine.evaluations._channels import EACH, MAP, NORM, PAD, Channels, Value, padded

UNIFORM = 1e-6  # of the largest: rounding may make so much of a difference between equal places


@dataclass(frozen=True)
class Narrowed:
    """A network without channels that can go.

    Attributes:
        layers: by convolution or linear map, how many of its inputs and outputs stay.
    """

    net: nn.Module
    layers: dict[str, dict[str, int]]


def narrowed(net: nn.Module, image: Tensor) -> Narrowed:
    """A copy of a network in evaluation mode, without the channels that can go.

    It sees images of this size only, as zeros around maps make constants others at their edges.

    Args:
        image: any, [1, C, H, W].

    Raises:
        Exception: it cannot be traced, as where it looks at numbers to decide what to do.
    """
    channels = Channels(copy.deepcopy(net), image)
    layers = {}
    with torch.no_grad():
        for node in [*channels.graph.graph.nodes]:
            role, value = channels.roles.get(node), channels.values.get(node)
            if value is None:
                continue
            given = channels.inputs(node)
            if role == MAP:
                layers[str(node.target)] = _counted(given[0], value)
                _narrow_map(channels, node, given[0], value)
            elif role == EACH:
                layers[str(node.target)] = _counted(given[0], value)
                _narrow_each(channels.module(node), value.kept)
            elif role == NORM:
                _narrow_norm(channels.module(node), value.kept)
            elif role == PAD:
                _narrow_padding(node, value)
    channels.graph.recompile()
    return Narrowed(channels.graph, layers)


def _counted(given: Value, value: Value) -> dict[str, int]:
    counts = {"inputs": given.kept, "outputs": value.kept}
    kept = {f"{name} kept": int(kept.sum()) for name, kept in counts.items()}
    return {**{name: len(kept) for name, kept in counts.items()}, **kept}


def _narrow_map(channels: Channels, node: fx.Node, given: Value, value: Value) -> None:
    """Drop inputs and outputs of a convolution or linear map, and add what constants made."""
    module = channels.module(node)
    constant = _of_constants(module, given)
    _put(module, "weight", module.weight[value.kept][:, given.kept])
    if module.bias is not None:
        _put(module, "bias", module.bias[value.kept])
    unit = "features" if isinstance(module, nn.Linear) else "channels"
    setattr(module, f"in_{unit}", int(given.kept.sum()))
    setattr(module, f"out_{unit}", int(value.kept.sum()))
    if constant is not None:
        kept = value.kept.nonzero().flatten()
        _add(channels.graph, node, module, constant.index_select(value.axis, kept), value.axis)


def _of_constants(module: nn.Module, given: Value) -> Tensor | None:
    """What a map makes of the constants that it will not be given; None if that is nothing."""
    gone = given.along(given.constant & ~given.kept)
    constants = torch.where(gone, given.sample, torch.zeros_like(given.sample))
    if not constants.any():
        return None
    made: Tensor = module(constants) - module(torch.zeros_like(constants))
    return made


def _add(graph: fx.GraphModule, node: fx.Node, module: Any, constant: Tensor, axis: int) -> None:
    """Add a constant to what a map gives: as its bias, where it is everywhere the same."""
    others = [one for one in range(constant.ndim) if one != axis]
    level = constant.mean(others, keepdim=True)
    if (constant - level).abs().max() <= UNIFORM * constant.abs().max():
        if type(module) in (nn.Conv2d, nn.Linear):  # others may leave their bias out
            own = 0 if module.bias is None else module.bias
            _put(module, "bias", level.flatten() + own)
            return
        constant = level
    name = f"{node.target}_constant"
    graph.add_submodule(name, _Plus(constant))
    with graph.graph.inserting_after(node):
        plus = graph.graph.call_module(name, (node,))
    node.replace_all_uses_with(plus, lambda user: user is not plus)


class _Plus(nn.Module):
    """Adds a constant [1, ...]."""

    constant: Tensor

    def __init__(self, constant: Tensor) -> None:
        super().__init__()
        self.register_buffer("constant", constant)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.constant


def _narrow_each(module: Any, kept: Tensor) -> None:
    """Drop filters of a convolution that has one for each channel."""
    _put(module, "weight", module.weight[kept])
    if module.bias is not None:
        _put(module, "bias", module.bias[kept])
    module.in_channels = module.out_channels = module.groups = int(kept.sum())


def _narrow_norm(module: Any, kept: Tensor) -> None:
    """Drop channels of a batch normalisation."""
    for name in ("weight", "bias"):
        if getattr(module, name) is not None:
            _put(module, name, getattr(module, name)[kept])
    module.running_mean, module.running_var = module.running_mean[kept], module.running_var[kept]
    module.num_features = int(kept.sum())


def _narrow_padding(node: fx.Node, value: Value) -> None:
    """Drop channels of zeros around others."""
    before, after = padded(node)
    if before or after:
        sides: Any = node.args[1]
        left, right = value.kept[:before], value.kept[len(value.kept) - after :]
        node.args = (node.args[0], (*sides[:4], int(left.sum()), int(right.sum())))


def _put(module: nn.Module, name: str, tensor: Tensor) -> None:
    """Give a module another parameter, in the memory layout that it had."""
    before = getattr(module, name)
    layout = torch.contiguous_format if before is None else masks.layout(before)
    new = nn.Parameter(tensor.contiguous(memory_format=layout), requires_grad=False)
    setattr(module, name, new)
