"""SynFlow: keep the weights that carry synaptic flow, without any data (Tanaka et al. 2020)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from pydantic import Field

from engine import plugin
from engine.lazy import torch
from engine.sparsifiers import _at_init

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.training import Training


class Settings(plugin.AllocationSettings):
    """How many weights are kept, and in how many rounds the others go."""

    iterations: int = Field(
        100,
        ge=1,
        le=10_000,
        description="rounds of scoring and pruning; in few, whole layers may be pruned away",
    )


class Sparsifier(_at_init.AtInit[Settings]):
    """Score an image of ones through the network of absolute weights, round by round."""

    def rounds(self) -> int:
        return self.settings.iterations

    def prepared(self, net: nn.Module) -> nn.Module:
        return positive(net)

    def scores(self, training: Training, net: nn.Module) -> dict[str, Tensor]:
        training.charge(1, 3)
        channels, size = training.data.train.x.shape[1], training.data.geometry.size
        return flow(net, training.prunable(), (channels, size, size))


def positive(net: nn.Module) -> nn.Module:
    """The network with absolute weights and statistics, in evaluation mode, in float64.

    A product over all layers may leave the range of float32.
    """
    net.double().eval()
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):  # constants, too
            tensor.abs_()
    return net


def flow(net: nn.Module, names: Collection[str], shape: tuple[int, ...]) -> dict[str, Tensor]:
    """dR/dw * w by name: the part of R, the sum of the outputs for ones, that passes a weight.

    Args:
        net: a network with positive weights, as `positive` gives.
        shape: of an image, [C, H, W].
    """
    weights = {name: p for name, p in net.named_parameters() if name in names}
    example = next(iter(weights.values()))
    ones = torch.ones(1, *shape, dtype=example.dtype, device=example.device)
    gradients = torch.autograd.grad(net(ones).sum(), list(weights.values()))
    return {
        name: gradient * p.detach()
        for (name, p), gradient in zip(weights.items(), gradients, strict=True)
    }
