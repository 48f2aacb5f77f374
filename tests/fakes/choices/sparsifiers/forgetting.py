"""Trains on what was forgotten and stops when the mask settles (like PrAC)."""

from __future__ import annotations

from engine import masks, plugin, sparsifier
from engine.durations import Duration
from engine.lazy import torch
from engine.plan import Level


class Settings(plugin.PrunableSettings):
    rewind: Duration = Duration(1)
    rate: float = 0.2
    distance: float = 0.3
    window: int = 2


class Sparsifier(sparsifier.Sparsifier[Settings]):
    def __init__(self, settings):
        super().__init__(settings)
        self.state = {}

    def levels(self):
        r = self.settings.rate
        return [Level(i, (1 - r) ** i, self.settings.rewind, rate=r) for i in range(3)]

    def attach(self, training):
        count = len(training.data.train)
        self.state.setdefault("chosen", torch.arange(count))
        self.state.setdefault("distances", torch.zeros(0))
        self.state.setdefault("epochs", torch.tensor(0))
        for name in ("right", "learned"):
            self.state.setdefault(name, torch.zeros(count, dtype=torch.bool))
        self.state.setdefault("forgotten", torch.zeros(count, dtype=torch.int64))

    def examples(self, training):
        return self.state["chosen"]

    def mask_during(self, training):
        shown = training.shown
        right = (shown.logits.argmax(1) == shown.targets).cpu()
        self.state["forgotten"][shown.ids] += self.state["right"][shown.ids] & ~right
        self.state["learned"][shown.ids] |= right
        self.state["right"][shown.ids] = right

    def pruned(self, training):
        kept = training.mask.kept
        scores = {name: p.detach().abs() for name, p in training.prunable().items()}
        return masks.keep_top(scores, kept - round(self.settings.rate * kept), training.mask)

    def stop(self, training):
        now = {f"mask/{name}": m.clone() for name, m in self.pruned(training).items()}
        before = {name: self.state.get(name, m) for name, m in now.items()}
        moved = sum(int((m ^ before[name].to(m.device)).sum()) for name, m in now.items())
        distance = torch.tensor([moved / training.mask.kept])
        self.state["epochs"] += 1
        self.state["distances"] = torch.cat([self.state["distances"], distance])
        self.state.update(now)
        newest = self.state["distances"][1:][-self.settings.window :]
        return len(newest) == self.settings.window and bool(newest.max() < self.settings.distance)

    def mask_after(self, training):
        mask = self.pruned(training)
        hard = (self.state["forgotten"] > 0) | ~self.state["learned"]
        chosen = hard.nonzero()[:, 0] if hard.sum() > 2 else self.state["chosen"]
        self.state = {"chosen": chosen, "epochs": self.state["epochs"]}
        return mask

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = dict(state)
