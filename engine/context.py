"""What an evaluation is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

    from engine.images import Images, Splits
    from engine.masks import Mask


@dataclass(frozen=True)
class Context:
    """A trained ticket and the images it was made with.

    Attributes:
        level: the ticket's level.
        mask: which weights live.
        net: makes the trained network, in evaluation mode; a new one each time.
        splits: all images, on the device.
        rng: a named stream of random numbers.
    """

    level: int
    mask: Mask
    net: Callable[[], nn.Module]
    splits: Splits
    rng: Callable[..., torch.Generator]

    def images(self, split: str) -> Images | None:
        """The images of `train`, `val` or `test`; None where there are none."""
        found: Images | None = getattr(self.splits, split)
        return found


@dataclass(frozen=True)
class Result:
    """What an evaluation found: numbers by name, and JSON documents by file name."""

    metrics: dict[str, float]
    files: dict[str, Any]
