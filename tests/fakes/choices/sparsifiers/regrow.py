"""Drops small weights and grows where gradients are large, in place of a step (like RigL)."""

from __future__ import annotations

from engine import masks, plugin, sparsifier
from engine.lazy import torch
from engine.plan import Level


class Settings(plugin.PrunableSettings):
    density: float = 0.3
    interval: int = 3
    drop: float = 0.3


class Sparsifier(sparsifier.Sparsifier[Settings]):
    def levels(self):
        return [Level(0, self.settings.density)]

    def mask_before(self, training):
        rng = training.rng("mask")
        noise = {n: torch.rand(p.shape, generator=rng) for n, p in training.prunable().items()}
        return masks.keep_top(noise, round(self.settings.density * training.mask.total))

    def mask_during(self, training):
        if (training.position + 1) % self.settings.interval:
            return None
        grown = masks.Mask()
        for name, p in training.prunable().items():
            alive = training.mask[name]
            count = int(alive.sum())
            stay = count - int(self.settings.drop * count)
            kept = masks.keep_top({name: p.detach().abs()}, stay, masks.Mask({name: alive}))
            score = p.grad.abs().masked_fill(kept[name], float("inf"))
            grown.update(masks.keep_top({name: score}, count))
        return grown, True
