"""What the operations of AutoAugment and its successors may be, and how strong: in equal steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.augmentations import _moves
from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

MOVES = frozenset(_moves.MATRICES)
BLENDS = frozenset({"brightness", "color", "contrast", "sharpness"})
UNIT = 150 / 331
"""AutoAugment's largest translation, as a share of the image's side."""


@dataclass(frozen=True)
class Space:
    """Operations, each with strengths from a weakest to a strongest one.

    Moves and blends go either way: a blend of strength 0.3 keeps 0.7 or 1.3 of its part.

    Attributes:
        ends: weakest and strongest value of each operation.
        bins: how many strengths there are from one to the other, both counted.
        relative: whether translations are shares of the image's side rather than pixels.
        whole: whether translations lose their fraction of a pixel.
    """

    ends: Mapping[str, tuple[float, float]]
    bins: int
    relative: bool
    whole: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The operations, in the order by which they are chosen."""
        return tuple(self.ends)

    def values(self, chosen: Tensor, level: Tensor, up: Tensor, size: int) -> Tensor:
        """float64 [B]: what `_operations.apply` takes.

        Args:
            chosen: int64 [B], positions in `names`.
            level: int64 [B], the steps from the weakest strength, 0..bins - 1.
            up: bool [B], which way moves and blends go.
            size: side of the images in pixels.
        """
        ends = torch.tensor(list(self.ends.values()), dtype=torch.float64)[chosen]
        strength = ends[:, 0] + (ends[:, 1] - ends[:, 0]) * level / (self.bins - 1)
        strength = torch.where(self._any(chosen, {"posterize"}), strength.round(), strength)
        pixels = strength * size if self.relative else strength
        pixels = pixels.trunc() if self.whole else pixels
        moved = self._any(chosen, {"translate_x", "translate_y"})
        strength = torch.where(moved, pixels, strength)
        both = self._any(chosen, MOVES | BLENDS)
        strength = torch.where(both & ~up, -strength, strength)
        return torch.where(self._any(chosen, BLENDS), 1 + strength, strength)

    def _any(self, chosen: Tensor, names: frozenset[str] | set[str]) -> Tensor:
        """bool [B]: which images' operation is one of `names`."""
        return torch.tensor([name in names for name in self.names])[chosen]
