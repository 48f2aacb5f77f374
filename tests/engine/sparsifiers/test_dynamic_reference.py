"""Sparse training against the loop people write: torch.optim.SGD, masks multiplied, plain sorts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine import masks, registry, seeds
from engine.epochs import train_level
from engine.images import Batch
from engine.plan import Level
from engine.setup import build
from engine.spec import RunSpec
from engine.training import Training

CPU = torch.device("cpu")
LR, MOMENTUM, DECAY, ALPHA, INTERVAL, STOP = 0.05, 0.9, 1e-3, 0.4, 3, 17
Batches = list[tuple[Tensor, Tensor]]
State = dict[str, Tensor]
Scores = Callable[[int, dict[str, nn.Parameter], torch.optim.SGD], list[Tensor]]


def _plain_loop(
    net: nn.Module, batches: Batches, mask: State, scores: Scores, dense: bool
) -> Iterator[tuple[State, State]]:
    """Masks and weights after every step; an update takes the optimizer's place."""
    weights = {n: p for n, p in net.named_parameters() if n in mask}
    optimizer = torch.optim.SGD(
        net.parameters(), LR, momentum=MOMENTUM, weight_decay=DECAY, nesterov=True
    )
    for t, (x, y) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = LR * (1 + math.cos(math.pi * (t - t % 4) / len(batches))) / 2
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        if (t + 1) % INTERVAL == 0 and t < STOP:
            found = scores(t, weights, optimizer)
            alpha = ALPHA / 2 * (1 + math.cos(math.pi * t / STOP))
            mask = {
                name: _replaced(mask[name], weight.detach(), score, alpha)
                for (name, weight), score in zip(weights.items(), found, strict=True)
            }
        else:
            optimizer.step()
        with torch.no_grad():
            for name, weight in weights.items():
                weight *= mask[name]
                buffer = optimizer.state[weight].get("momentum_buffer")
                if buffer is not None and not dense:
                    buffer *= mask[name]
        yield mask, {n: p.detach().clone() for n, p in net.state_dict().items()}


def _replaced(alive: Tensor, weight: Tensor, score: Tensor, alpha: float) -> Tensor:
    flat = alive.flatten().clone()
    live = [i for i, on in enumerate(flat.tolist()) if on]
    if len(live) == len(flat):
        return alive
    size, value = weight.abs().flatten().tolist(), score.abs().flatten().tolist()
    count = math.ceil(alpha * len(live))
    for i in sorted(live, key=lambda i: size[i])[:count]:
        flat[i] = False
    free = [i for i, on in enumerate(flat.tolist()) if not on]
    for i in sorted(free, key=lambda i: -value[i])[:count]:
        flat[i] = True
    return flat.view(alive.shape)


def _by_gradient(t: int, weights: Any, optimizer: Any) -> list[Tensor]:
    return [weight.grad for weight in weights.values()]


def _by_momentum(t: int, weights: Any, optimizer: Any) -> list[Tensor]:
    return [optimizer.state[weight]["momentum_buffer"] for weight in weights.values()]


def _by_chance(t: int, weights: Any, optimizer: Any) -> list[Tensor]:
    """The engine's own random numbers of the step."""
    generator = seeds.rng(0, "update", t, 0)
    return [torch.rand(weight.shape, generator=generator) for weight in weights.values()]


@pytest.mark.parametrize(
    ("name", "scores"), [("rigl", _by_gradient), ("snfs", _by_momentum), ("set", _by_chance)]
)
def test_every_step_takes_the_path_of_a_plain_loop(
    name: str, scores: Scores, tiny: Callable[..., RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    settings = {"alpha": ALPHA, "interval": f"{INTERVAL}it", "stop": f"{STOP}it"}
    sgd = {"name": "sgd", "lr": LR, "momentum": MOMENTUM, "weight_decay": DECAY, "nesterov": True}
    spec = tiny(
        sparsifier={"name": name, "redistribute": "none", "density": 0.15, **settings},
        train={"epochs": 5, "batch_size": 25, "optimizer": sgd},
    )
    data = registry.load("datasets", "digits").load(spec.data)
    net = build(spec, data, CPU).double()
    twin = deepcopy(net).to(memory_format=torch.contiguous_format)
    fed: Batches = []
    augmented, inputs = Training.augmented, Training.inputs

    def watched(self: Training, ids: Tensor) -> Batch:
        batch = augmented(self, ids)
        fed.append((self.inputs(batch).contiguous(), self.data.train.y[ids]))
        return batch

    monkeypatch.setattr(Training, "augmented", watched)
    monkeypatch.setattr(Training, "inputs", lambda self, batch: inputs(self, batch).double())
    sparsifier = registry.load("sparsifiers", name).Sparsifier(spec.sparsifier)
    ones = masks.ones(masks.prunable(net, "conv"))
    training = Training(spec, Level(0, 0.15), data, net, ones, CPU)
    sparsifier.attach(training)
    training.set_mask(sparsifier.mask_before(training))
    training.start_optimizer(sparsifier)
    first = dict(training.mask)
    steps: list[tuple[State, State]] = []

    def look() -> None:
        weights = {n: t.detach().clone() for n, t in net.state_dict().items()}
        steps.append((dict(training.mask), weights))

    train_level(training, sparsifier, look, lambda result: None)
    with torch.no_grad():
        for parameter_name, alive in first.items():
            dict(twin.named_parameters())[parameter_name].mul_(alive)
    expected = list(_plain_loop(twin.train(), fed, first, scores, dense=name == "snfs"))
    assert len(steps) == len(expected) == 20
    before, updates = first, 0
    for step, ((mask, weights), (mask_of, weights_of)) in enumerate(
        zip(steps, expected, strict=True)
    ):
        for layer, alive in mask_of.items():
            assert torch.equal(mask[layer], alive), f"step {step}: {layer}"
        for layer, tensor in weights_of.items():
            torch.testing.assert_close(weights[layer], tensor, rtol=1e-6, atol=1e-9)
        updates += any(not torch.equal(mask[layer], before[layer]) for layer in mask)
        before = mask
    assert updates == 5
