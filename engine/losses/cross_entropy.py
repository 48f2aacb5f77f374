"""Cross-entropy, with label smoothing (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from engine import plugin
from engine.lazy import functional, torch

if TYPE_CHECKING:
    from torch import Tensor


class Settings(plugin.Settings):
    """The negative log-likelihood of the right class."""

    smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="label smoothing: the share of the target spread evenly over all classes",
    )


def loss(settings: Settings, logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over the batch, a scalar computed in float32 or better.

    Args:
        logits: (batch, classes), in any floating type.
        targets: (batch,) class numbers, int64.
    """
    exact = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return functional.cross_entropy(exact, targets, label_smoothing=settings.smoothing)
