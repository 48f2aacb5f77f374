"""A training in the test's own process, to take step by step."""

from __future__ import annotations

from typing import Any

import torch

from engine import masks, registry
from engine.plan import Level
from engine.setup import build
from engine.sparsifier import Sparsifier
from engine.spec import RunSpec
from engine.training import Training

CPU = torch.device("cpu")


class Plain(Sparsifier[Any]):
    """Does nothing; tests override what they are about."""

    def levels(self) -> list[Level]:
        return [Level(0, 1.0)]


def begun(spec: RunSpec, level: Level | None = None, seed: int = 0) -> Training:
    """A level of a spec before its first step, with a fifth of its weights, picked at random."""
    data = registry.load("datasets", spec.data.name).load(spec.data)
    net = build(spec, data, CPU)
    scores = {name: torch.rand(p.shape, generator=torch.Generator().manual_seed(seed))
              for name, p in masks.prunable(net, spec.prunable).items()}  # fmt: skip
    mask = masks.keep_top(scores, masks.ones(scores).total // 5)
    training = Training(spec, level or Level(0, 1.0), data, net, mask, CPU)
    training.start_optimizer(Plain(spec.sparsifier))
    return training
