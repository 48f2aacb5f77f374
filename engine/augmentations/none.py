"""No augmentation: training images are shown as test images are, from their centre."""

from __future__ import annotations

from engine import plugin
from engine.augmentations import _crops
from engine.images import Batch
from engine.lazy import torch


class Settings(plugin.Settings):
    """Nothing to set."""


def augment(settings: Settings, batch: Batch, rng: torch.Generator) -> Batch:
    """Bring a batch to the size the network sees; `rng` is not used."""
    size, shifted = batch.geometry.size, batch.geometry.crop == "pad"
    if shifted and batch.boxes is None and batch.x.shape[2:] == (size, size):
        return batch
    return _crops.cut(batch, _crops.centre(batch))
