"""Pruning the smallest initial weights, the control of pruning at initialisation (Frankle 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine import plugin
from engine.sparsifiers import _at_init

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.training import Training


class Settings(plugin.AllocationSettings):
    """How many weights are kept, and where."""


class Sparsifier(_at_init.AtInit[Settings]):
    """Keep the largest initial weights; no images are looked at."""

    def scores(self, training: Training, net: nn.Module) -> dict[str, Tensor]:
        weights = dict(net.named_parameters())
        return {name: weights[name].detach().abs() for name in training.prunable()}
