"""Images that are mixed of two: what mixes them, and what classes they then are of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.lazy import functional, torch

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


def mixed_targets(targets: Tensor, mix: Mix, classes: int) -> Tensor:
    """How much of each image is of each class.

    Args:
        targets: int64 [B].

    Returns:
        float32 [B, classes]; each row sums to 1. A loss of these is the mean over images of
        share * loss(own target) + (1 - share) * loss(partner's target), as all losses are linear in
        their targets.
    """
    own = functional.one_hot(targets, classes).float()
    return torch.lerp(own[mix.partner], own, mix.share.unsqueeze(1))
