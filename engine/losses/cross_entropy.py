"""Cross-entropy, with label smoothing (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.losses import _smoothing

if TYPE_CHECKING:
    from torch import Tensor


class Settings(_smoothing.Smoothed):
    """The negative log-likelihood of the right class."""


def loss(settings: Settings, logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over the batch; see `_smoothing.cross_entropy`."""
    return _smoothing.cross_entropy(logits, targets, settings.smoothing)
