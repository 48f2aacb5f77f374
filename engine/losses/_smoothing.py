"""Cross-entropy with label smoothing (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from engine import plugin
from engine.lazy import functional, torch

if TYPE_CHECKING:
    from torch import Tensor


class Smoothed(plugin.Settings):
    """What every loss that is a cross-entropy can be told."""

    smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="label smoothing: the share of the target spread evenly over all classes",
    )


def exact(logits: Tensor) -> Tensor:
    """The logits in float32 or better, as losses are computed."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def cross_entropy(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """The mean over the batch, a scalar computed in float32 or better.

    Args:
        logits: (batch, classes), in any floating type.
        targets: (batch,) class numbers, int64; or (batch, classes), float32, the share of each.
    """
    values = exact(logits)
    if targets.is_floating_point():
        targets = targets.to(values.dtype)
    return functional.cross_entropy(values, targets, label_smoothing=smoothing)
