"""Cross-entropy over t-vMF similarities (Kobayashi 2021, "T-vMF Similarity for Regularizing
Intra-Class Feature Distribution", CVPR).

The network's classifier becomes one without bias that compares directions; see `_angles.TVMF`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from engine.losses import _smoothing

if TYPE_CHECKING:
    from torch import Tensor, nn


class Settings(_smoothing.Smoothed):
    """The negative log-likelihood of the right class, from t-vMF similarities."""

    kappa: float = Field(
        16.0,
        ge=0,
        le=10_000,
        description="concentration: how fast similarity falls with the angle; 0 is the cosine",
    )


def head(settings: Settings, features: int, classes: int) -> nn.Module:
    """The classifier, [B, features] -> [B, classes]."""
    from engine.losses._angles import TVMF

    return TVMF(features, classes, settings.kappa)


def loss(settings: Settings, logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over the batch; see `_smoothing.cross_entropy`."""
    return _smoothing.cross_entropy(logits, targets, settings.smoothing)
