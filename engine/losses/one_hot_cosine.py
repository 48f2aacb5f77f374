"""The cosine loss (Barz & Denzler 2020, "Deep Learning on Small Datasets without Pre-Training
using Cosine Loss", WACV).

One minus the cosine between the logits and the one-hot target; with `cross_entropy: 0.1`,
`--cos_criterion` of DataEfficientLTH.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from engine import plugin
from engine.lazy import functional
from engine.losses import _smoothing

if TYPE_CHECKING:
    from torch import Tensor


class Settings(plugin.Settings):
    """One minus the cosine between logits and target."""

    cross_entropy: float = Field(
        0.0, ge=0, le=100, description="weight of a cross-entropy of the same logits beside it"
    )


def loss(settings: Settings, logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over the batch, a scalar computed in float32 or better.

    Args:
        logits: (batch, classes), in any floating type.
        targets: (batch,) class numbers, int64; or (batch, classes), float32, the share of each.
    """
    directions = functional.normalize(_smoothing.exact(logits), dim=1)
    shares = targets if targets.ndim > 1 else functional.one_hot(targets, logits.shape[1])
    value = (1 - (directions * shares).sum(1)).mean()
    if settings.cross_entropy:
        value = value + settings.cross_entropy * _smoothing.cross_entropy(logits, targets)
    return value
