"""Prunes once before training, by what the gradient of a batch says, from weights of its own.

Like SNIP on another initialisation; runs the network carelessly, in training mode.
"""

from __future__ import annotations

from engine import masks, plugin, sparsifier
from engine.lazy import torch
from engine.plan import Level


class Settings(plugin.PrunableSettings):
    density: float = 0.2


class Sparsifier(sparsifier.Sparsifier[Settings]):
    def levels(self):
        return [Level(0, self.settings.density)]

    def weights_before(self, level, weights, rng):
        return {
            name: torch.randn(t.shape, generator=rng) * 0.1 if t.ndim == 4 else t
            for name, t in weights.items()
        }

    def mask_before(self, training):
        ids = torch.arange(40)
        logits = training.forward(training.inputs(training.augmented(ids)))
        training.loss(logits, training.data.train.y[:40]).backward()
        scores = {n: (p.grad * p.detach()).abs() for n, p in training.prunable().items()}
        return masks.keep_top(scores, round(self.settings.density * training.mask.total))
