"""Classes by a vote of the nearest training images: what features are worth as they are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MOST, TEMPERATURE = 200, 0.07  # Wu et al. 2018, https://arxiv.org/abs/1805.01978, section 3.4


@dataclass(frozen=True)
class Neighbours:
    """Training images to be asked.

    Attributes:
        directions: float32 [N, F], their features, of length 1.
        y: int64 [N], their classes.
        classes: how many there are.
    """

    directions: Tensor
    y: Tensor
    classes: int

    @classmethod
    def of(cls, features: Tensor, y: Tensor, classes: int) -> Neighbours:
        """From features [N, F] of any floating type."""
        return cls(functional.normalize(features.float(), dim=1), y, classes)

    def __call__(self, features: Tensor) -> Tensor:
        """Features [B, F] -> log shares of the vote, float32 [B, classes].

        Each of the nearest 200 images votes with exp(cosine / 0.07).
        """
        with torch.autocast(features.device.type, enabled=False):
            cosines = functional.normalize(features.float(), dim=1) @ self.directions.T
        near, where = cosines.topk(min(MOST, len(self.y)), dim=1)
        votes = torch.softmax(near / TEMPERATURE, dim=1)
        shares = votes.new_zeros(len(features), self.classes).scatter_add_(1, self.y[where], votes)
        return shares.clamp_(min=torch.finfo(torch.float32).tiny).log()
