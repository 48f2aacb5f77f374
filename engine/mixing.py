"""Images that are mixed of two: what mixes them, and the objective of their two targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Mix:
    """How the images of a batch were mixed; both are [B], on the batch's device.

    Attributes:
        partner: int64, the position in the batch of the other image.
        share: float32, how much of an image is its own.
    """

    partner: Tensor
    share: Tensor


def mixed_loss(
    loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, targets: Tensor, mix: Mix | None
) -> Tensor:
    """The mean over images of share * loss(own target) + (1 - share) * loss(partner's target).

    Args:
        loss: the mean over a batch of what each image adds, whatever its neighbours are.
        logits: [B, classes].
        targets: int64 [B].
        mix: None for images that are not mixed.
    """
    if mix is None:
        return loss(logits, targets)

    def each(target: Tensor) -> Tensor:
        one = torch.vmap(lambda row, label: loss(row.unsqueeze(0), label.unsqueeze(0)))
        values: Tensor = one(logits, target)
        return values

    own, other = each(targets), each(targets[mix.partner])
    return torch.lerp(other, own, mix.share.to(own.dtype)).mean()
