"""The projection head of contrastive training (SimCLR, Chen et al. 2020,
https://arxiv.org/abs/2002.05709)."""

from __future__ import annotations

from torch import Tensor, nn


class Projection(nn.Module):
    """Two linear maps with a ReLU between them, which are gone once training is over.

    In evaluation mode the features go through unchanged: they are what is learnt (section 4.2).
    Nothing of it outlives training, so that nothing of it is pruned; see `masks.matching`.
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.projection_in = nn.Linear(features, features)
        self.relu = nn.ReLU(inplace=True)
        self.projection_out = nn.Linear(features, size)

    def forward(self, x: Tensor) -> Tensor:
        """[B, features] -> [B, size] in training, [B, features] otherwise."""
        if not self.training:
            return x
        return self.projection_out(self.relu(self.projection_in(x)))  # type: ignore[no-any-return]
