"""SNIP: keep the connections that the loss is most sensitive to (Lee et al. 2019)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from engine.lazy import torch
from engine.sparsifiers import _at_init

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.training import Training


class Settings(_at_init.SampleSettings):
    """How many weights are kept, and what they are scored with."""

    iterations: int = Field(
        1,
        ge=1,
        le=10_000,
        description="rounds of scoring and pruning: 1 as published, more for iterative SNIP"
        " (de Jorge 2021)",
    )


class Sparsifier(_at_init.AtInit[Settings]):
    """Score |gradient * weight| by sampled images, and keep the highest."""

    def rounds(self) -> int:
        return self.settings.iterations

    def scores(self, training: Training, net: nn.Module) -> dict[str, Tensor]:
        net.train(self.settings.mode == "train")
        batches = _at_init.batches(training, self.settings, passes=3)
        return sensitivity(net, training.prunable(), batches, training.loss)


def sensitivity(
    net: nn.Module,
    names: Collection[str],
    batches: Iterable[tuple[Tensor, Tensor, float]],
    loss: Callable[[Tensor, Tensor], Tensor],
) -> dict[str, Tensor]:
    """|dL/dw * w| by name, together 1: what the loss loses at first order with a connection.

    Args:
        batches: inputs, classes, and the batch's share in the loss L, a mean over all images.
    """
    weights = {name: p for name, p in net.named_parameters() if name in names}
    total = {name: torch.zeros_like(p) for name, p in weights.items()}
    for x, y, share in batches:
        gradients = torch.autograd.grad(share * loss(net(x), y), list(weights.values()))
        for name, gradient in zip(weights, gradients, strict=True):
            total[name] += gradient
    scores = {name: (total[name] * p.detach()).abs() for name, p in weights.items()}
    whole = torch.stack([score.sum() for score in scores.values()]).sum()
    whole.clamp_(min=torch.finfo(whole.dtype).tiny)
    return {name: score / whole for name, score in scores.items()}
