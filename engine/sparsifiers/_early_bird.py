"""When a level's mask has settled (early-bird tickets, You et al. 2020; as PrAC uses them)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from engine import tickets
from engine.lazy import torch
from engine.masks import Mask

if TYPE_CHECKING:
    from torch import Tensor

FARTHEST = 1.0
"""Stands for the distances that a window does not hold yet."""


class EarlyBird:
    """Compares the masks that pruning would give after each epoch.

    Args:
        threshold: below it, a distance agrees with a settled mask.
        window: how many distances have to agree.
        wake: one distance must exceed it before any is recorded, so that a network that has not
            begun to learn does not look settled; `threshold` if None.

    Attributes:
        mask: the newest one; None before the first epoch's end.
        distance: from the one before it; None before the second epoch's end.
    """

    def __init__(self, threshold: float, window: int, wake: float | None = None) -> None:
        self.threshold, self.window = threshold, window
        self.wake = threshold if wake is None else wake
        self.mask: Mask | None = None
        self.distance: float | None = None
        self._recent: list[float] = []
        self._moved = False

    @property
    def farthest(self) -> float:
        """The largest of the newest `window` distances; FARTHEST while there are fewer."""
        return max(self._recent) if len(self._recent) == self.window else FARTHEST

    @property
    def settled(self) -> bool:
        """Whether all of the newest `window` distances are below the threshold."""
        return len(self._recent) == self.window and self.farthest < self.threshold

    def look(self, mask: Mask, kept: int, counts: bool = True) -> None:
        """Take in the mask after an epoch.

        Args:
            kept: weights that live in the level; distances are relative to them.
            counts: whether the epoch may count, as those of a warm-up do not.
        """
        before, self.mask = self.mask, mask
        if before is None:
            return
        self.distance = distance(before, mask, kept)
        self._moved = self._moved or self.distance > self.wake
        if counts and self._moved:
            self._recent = [*self._recent, self.distance][-self.window :]

    def state_dict(self) -> dict[str, Tensor]:
        """What resuming needs; the mask as packed bits."""
        mask = {} if self.mask is None else tickets.pack_mask(self.mask)
        newest = [] if self.distance is None else [self.distance]
        return {
            "moved": torch.tensor(self._moved),
            "recent": torch.tensor(self._recent, dtype=torch.float64),
            "distance": torch.tensor(newest, dtype=torch.float64),
            **{f"mask/{name}": bits for name, bits in mask.items()},
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave; the mask comes back on the CPU."""
        mask = {n.removeprefix("mask/"): t for n, t in state.items() if n.startswith("mask/")}
        self.mask = tickets.unpack_mask(mask) if mask else None
        newest: Sequence[float] = state["distance"].tolist()
        self.distance = newest[0] if newest else None
        self._recent, self._moved = state["recent"].tolist(), bool(state["moved"])


def distance(one: Mask, other: Mask, kept: int) -> float:
    """How many weights live in one of two masks only, relative to `kept` weights."""
    changed = [(alive ^ one[name].to(alive.device)).sum() for name, alive in other.items()]
    return int(torch.stack(changed).sum()) / kept
