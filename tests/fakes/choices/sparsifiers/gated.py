"""Learns a soft gate for every weight, then trains the open ones (like Continuous Sparsification).

Two rounds of gates, the second on from the first; then the hard ticket from the rewind point, with
the gates' scale.
"""

from __future__ import annotations

from engine import masks, plugin, sparsifier
from engine.durations import Duration
from engine.lazy import torch
from engine.plan import Level


class Settings(plugin.PrunableSettings):
    density: float = 0.4
    temperature: float = 20.0
    initial: float = 0.1
    strength: float = 1e-6


class Sparsifier(sparsifier.Sparsifier[Settings]):
    def __init__(self, settings):
        super().__init__(settings)
        self.gates, self.weights = {}, {}

    def levels(self):
        ticket = Level(2, self.settings.density, Duration(1), Duration(1), "rest")
        return [Level(0, 1.0), Level(1, 1.0, start=None), ticket]

    def attach(self, training):
        for name, p in training.prunable().items():
            gate = self.gates.get(name, torch.full_like(p, self.settings.initial))
            gate = torch.empty_like(p).copy_(gate)
            self.gates[name] = gate.detach().requires_grad_()

    def parameter_groups(self, training):
        gates = {f"gate/{name}": gate for name, gate in self.gates.items()}
        return [{"params": gates, "weight_decay": 0.0, "lr_factor": 5.0}]

    def beta(self, training):
        share = (training.position - training.planned.first) / training.planned.steps
        return self.settings.temperature**share

    def weights_before(self, level, weights, rng):
        return {**weights, **self.weights} if level.index == 1 else weights

    def weights_during(self, training):
        scale = 1 / torch.tensor(self.settings.initial).sigmoid()
        if training.level.index == 2:
            return {name: p * scale for name, p in training.prunable().items()}
        beta = self.beta(training)
        return {
            name: p * (beta * self.gates[name]).sigmoid() * scale
            for name, p in training.prunable().items()
        }

    def penalty(self, training):
        if training.level.index == 2:
            return None
        beta = self.beta(training)
        sums = [(beta * gate).sigmoid().sum() for gate in self.gates.values()]
        return self.settings.strength * torch.stack(sums).sum()

    def mask_after(self, training):
        if training.level.index == 1:
            kept = round(self.settings.density * training.mask.total)
            return masks.keep_top(self.gates, kept)
        self.weights = {n: p.detach().clone() for n, p in training.prunable().items()}
        for gate in self.gates.values():
            gate.data.mul_(self.beta(training)).clamp_(max=self.settings.initial)
        return training.mask

    def state_dict(self):
        weights = {f"weight/{name}": w for name, w in self.weights.items()}
        return weights | {f"gate/{name}": gate for name, gate in self.gates.items()}

    def load_state_dict(self, state):
        for kind, held in (("weight/", self.weights), ("gate/", self.gates)):
            held.update({n.removeprefix(kind): t for n, t in state.items() if n.startswith(kind)})
