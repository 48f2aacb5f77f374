"""What the operations of AutoAugment and its successors may be, and how strong: in equal steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from engine.augmentations import _moves
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

BLENDS = ("brightness", "color", "contrast", "sharpness")
UNIT = 150 / 331
"""AutoAugment's largest translation, as a share of the image's side."""


@dataclass(frozen=True)
class Space:
    """Operations, each with strengths from a weakest to a strongest one.

    Moves and blends go either way: a blend of strength 0.3 keeps 0.7 or 1.3 of its part.

    Attributes:
        ends: operations with their weakest and strongest value, in the order of their choice.
        bins: how many strengths there are from one to the other, both counted.
        relative: whether translations are shares of the image's side rather than pixels.
        whole: whether translations lose their fraction of a pixel.
    """

    ends: tuple[tuple[str, float, float], ...]
    bins: int
    relative: bool
    whole: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The operations, in the order of their choice."""
        return tuple(name for name, _, _ in self.ends)

    def values(self, chosen: Tensor, level: Tensor, up: Tensor, size: int) -> Tensor:
        """float64 [B]: what `_operations.apply` takes.

        Args:
            chosen: int64 [B], positions in `names`.
            level: int64 [B], the steps from the weakest strength, 0..bins - 1.
            up: bool [B], which way moves and blends go.
            size: side of the images in pixels.
        """
        return _table(self, size)[up.long(), chosen, level]


@lru_cache(maxsize=16)
def _table(space: Space, size: int) -> Tensor:
    """float64 [2, operations, bins]: the values of each strength downward and upward."""
    steps = torch.arange(space.bins, dtype=torch.float64) / (space.bins - 1)
    rows = []
    for name, low, high in space.ends:
        strength = low + (high - low) * steps
        if name == "posterize":
            strength = strength.round()
        if name.startswith("translate"):
            pixels = strength * size if space.relative else strength
            strength = pixels.trunc() if space.whole else pixels
        middle = float(name in BLENDS)
        down = -strength if name in BLENDS or name in _moves.MATRICES else strength
        rows.append(torch.stack([middle + down, middle + strength]))
    return torch.stack(rows, dim=1)
