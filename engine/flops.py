"""Floating-point operations of a network, layer by layer, and what a training step costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.masks import Mask


@dataclass(frozen=True)
class Flops:
    """Forward operations on one image: a multiplication and an addition for each weight's use.

    Normalisation, activations, pooling, biases, products of activations (as in attention) and fixed
    transforms are left out. RigL's reproduction has one addition less and a ReLU more per output,
    which is the same, but it adds a bias for each input of the last linear map: for
    WideResNet-22-2 it has 315,460,224 operations, 128 more than here.

    Attributes:
        by_weight: parameter name -> operations of the convolution or linear map it belongs to.
    """

    by_weight: Mapping[str, float]

    @property
    def dense(self) -> float:
        """Operations of the whole network without a mask."""
        return sum(self.by_weight.values())

    def sparse(self, mask: Mask) -> float:
        """Operations with the pruned weights of `mask` left out."""
        return sum(
            flops * int(mask[name].sum()) / mask[name].numel() if name in mask else flops
            for name, flops in self.by_weight.items()
        )


def count(net: nn.Module, channels: int, size: int) -> Flops:
    """Count the operations of a network's convolutions and linear maps on one image.

    That is every module with a `weight` of two dimensions or more, its outputs first.
    The network runs once on zeros, in evaluation mode, and is left unchanged.

    Args:
        channels, size: the image is [channels, size, size].
    """
    found: dict[str, float] = {}
    names = {parameter: name for name, parameter in net.named_parameters()}

    def add(module: Any, _: Any, output: Tensor) -> None:
        uses = output.numel() // len(module.weight)  # one for each place or token
        name = names[module.weight]
        found[name] = found.get(name, 0.0) + 2.0 * module.weight.numel() * uses

    weights = ((module, getattr(module, "weight", None)) for module in net.modules())
    maps = [m for m, w in weights if isinstance(w, torch.nn.Parameter) and w.ndim > 1]
    hooks = [module.register_forward_hook(add) for module in maps]
    like = next(net.parameters())
    was_training = net.training
    try:
        with torch.no_grad():
            net.eval()(like.new_zeros(1, channels, size, size))
    finally:
        net.train(was_training)
        for hook in hooks:
            hook.remove()
    return Flops(found)
