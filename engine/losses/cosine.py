"""Cross-entropy over scaled cosines (the row "cosine loss" of the data-efficient tickets paper).

The network's classifier becomes one without bias that compares directions; see
`_angles.Cosine`. The cosine loss of Barz & Denzler 2020 is `one_hot_cosine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.losses import _smoothing

if TYPE_CHECKING:
    from torch import Tensor, nn


class Settings(_smoothing.Smoothed):
    """The negative log-likelihood of the right class, from cosines."""


def head(settings: Settings, features: int, classes: int) -> nn.Module:
    """The classifier, [B, features] -> [B, classes]."""
    from engine.losses._angles import Cosine

    return Cosine(features, classes)


def loss(settings: Settings, logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over the batch; see `_smoothing.cross_entropy`."""
    return _smoothing.cross_entropy(logits, targets, settings.smoothing)
