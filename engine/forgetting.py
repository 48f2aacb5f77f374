"""Forgetting events: how often a network unlearns an image while it trains (Toneva et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

NEVER_LEARNED = 2**31 - 1
"""The count of an image that was shown and never predicted right: more than any other."""
NOT_SHOWN = -1
"""The count of an image that was not shown at all."""


@dataclass(frozen=True)
class Memory:
    """What is remembered of every image, on one device; a few bytes each, however long it trains.

    Attributes:
        last: int8 [N]; 1 where the newest prediction was right, 0 where wrong, -1 for not shown.
        events: int32 [N], how often a right prediction was followed by a wrong one.
    """

    last: Tensor
    events: Tensor

    @classmethod
    def empty(cls, count: int, device: torch.device) -> Memory:
        """Nothing shown yet, of `count` images."""
        last = torch.full((count,), -1, dtype=torch.int8, device=device)
        return cls(last, torch.zeros(count, dtype=torch.int32, device=device))

    def to(self, device: torch.device) -> Memory:
        """The same on another device."""
        return Memory(self.last.to(device), self.events.to(device))

    def record(self, ids: Tensor, right: Tensor) -> None:
        """Take in which of the images `ids` (int64, distinct) were predicted right (bool)."""
        forgotten = (self.last.index_select(0, ids) == 1) & ~right
        self.events.index_add_(0, ids, forgotten.to(self.events.dtype))
        self.last.index_copy_(0, ids, right.to(self.last.dtype))

    def counts(self) -> Tensor:
        """Forgetting events int32 [N] on the CPU; NEVER_LEARNED and NOT_SHOWN where it is so."""
        last, events = self.last.cpu(), self.events.cpu()
        # an image that was ever right is right still, or was forgotten
        counts = events.masked_fill((last == 0) & (events == 0), NEVER_LEARNED)
        return counts.masked_fill(last == -1, NOT_SHOWN)
