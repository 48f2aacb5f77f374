"""GraSP: keep the weights that preserve the flow of gradients (Wang et al. 2020)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from engine.lazy import torch
from engine.sparsifiers import _at_init

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.training import Training


class Settings(_at_init.SampleSettings):
    """How many weights are kept, and what they are scored with."""

    mode: Literal["eval", "train"] = Field(
        "train", description=_at_init.SampleSettings.model_fields["mode"].description
    )
    temperature: float = Field(
        200.0, gt=0, le=1e6, description="divisor of the logits, which evens out the predictions"
    )


class Sparsifier(_at_init.AtInit[Settings]):
    """Score by weight * Hessian * gradient of sampled images, and keep the highest."""

    def scores(self, training: Training, net: nn.Module) -> dict[str, Tensor]:
        net.train(self.settings.mode == "train")

        def loss(logits: Tensor, targets: Tensor) -> Tensor:
            return training.loss(logits / self.settings.temperature, targets)

        batches = partial(_at_init.batches, training, self.settings)
        return flow_kept(net, training.prunable(), batches, loss)


def flow_kept(
    net: nn.Module,
    names: Collection[str],
    batches: Callable[[float], _at_init.Batches],
    loss: Callable[[Tensor, Tensor], Tensor],
) -> dict[str, Tensor]:
    """w * Hg by name, over its absolute sum: the squared norm of g that goes with a weight.

    g and H are the gradient and the Hessian of the loss L with respect to the named weights.
    Without weight w the squared norm changes by about -2 w * Hg, so the lowest scores go.

    Args:
        batches: gives, for so many forward passes, inputs, classes, and the batch's share in L, a
            mean over all images.
    """
    weights = {name: p for name, p in net.named_parameters() if name in names}
    at = list(weights.values())
    gradient = [torch.zeros_like(p) for p in at]
    for x, y, share in batches(3):
        parts = torch.autograd.grad(share * loss(net(x), y), at)
        torch._foreach_add_(gradient, parts)
    curved = [torch.zeros_like(p) for p in at]
    for x, y, share in batches(3 + 2 * 3):  # the way back through a gradient costs twice as much
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            value = share * loss(net(x), y)  # no other attention can be differentiated twice
        parts = torch.autograd.grad(value, at, create_graph=True)
        along = torch.stack([(g * p).sum() for g, p in zip(gradient, parts, strict=True)]).sum()
        torch._foreach_add_(curved, torch.autograd.grad(along, at))
    scores = {name: p.detach() * hg for (name, p), hg in zip(weights.items(), curved, strict=True)}
    whole = torch.stack([score.sum() for score in scores.values()]).sum().abs()
    return {name: score / (whole + 1e-10) for name, score in scores.items()}
