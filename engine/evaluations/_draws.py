"""Random numbers of images, each from a stream of its own: batches make no difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from engine.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


class Draws:
    """Draws for the images of a batch; they come from the CPU, and are alike on any device.

    Args:
        generators: one for each image, on the CPU.
        device: where the numbers are wanted.
    """

    def __init__(self, generators: Sequence[torch.Generator], device: torch.device) -> None:
        self._generators, self._device = generators, device

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """float32 [B, *shape] from `low` to `high`."""
        drawn = self._each(lambda rng: torch.rand(shape, generator=rng))
        return drawn * (high - low) + low

    def normal(self, mean: float, deviation: float, *shape: int) -> Tensor:
        """float32 [B, *shape]."""
        return self._each(lambda rng: torch.randn(shape, generator=rng)) * deviation + mean

    def whole(self, low: int, high: int, *shape: int) -> Tensor:
        """int64 [B, *shape], from `low` to below `high`."""
        return self._each(lambda rng: torch.randint(low, high, shape, generator=rng))

    def poisson(self, rates: Tensor) -> Tensor:
        """float32, one for each rate of [B, ...]."""
        each = zip(rates.cpu(), self._generators, strict=True)
        return torch.stack([torch.poisson(rate, rng) for rate, rng in each]).to(self._device)

    def _each(self, draw: Callable[[torch.Generator], Tensor]) -> Tensor:
        return torch.stack([draw(rng) for rng in self._generators]).to(self._device)
