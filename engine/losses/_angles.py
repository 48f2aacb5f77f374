"""Classifiers that look only at the angle between the features and each class's weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Cosine(nn.Linear):
    """Logits that are scaled cosines: s cos(w, x), where s = 1 + softplus(scale) is learnt.

    There is no bias. The scale begins at 1 + ln 2 = 1.6931 and is decayed as weights are, as in
    DataEfficientLTH.
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__(features, classes, bias=False)
        self.scale = nn.Parameter(torch.zeros(()))

    def forward(self, input: Tensor) -> Tensor:
        """[B, features] -> [B, classes]."""
        cosines = functional.linear(
            functional.normalize(input, dim=-1), functional.normalize(self.weight, dim=-1)
        )
        return (1 + functional.softplus(self.scale)) * self.similarity(cosines)

    def similarity(self, cosines: Tensor) -> Tensor:
        """What is scaled, from -1 to 1."""
        return cosines


class TVMF(Cosine):
    """Logits that are scaled t-vMF similarities, which fall the faster from 1 the larger kappa."""

    def __init__(self, features: int, classes: int, kappa: float) -> None:
        super().__init__(features, classes)
        self.kappa = kappa

    def similarity(self, cosines: Tensor) -> Tensor:
        """(1 + c) / (1 + kappa (1 - c)) - 1: as Kobayashi 2021 defines it."""
        return (1 + cosines) / (1 + self.kappa * (1 - cosines)) - 1
