"""Sharpness-aware minimisation against its two equations, written out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from stepping import Plain, begun
from torch import nn

from engine.sharpness import climbed, statistics_kept
from engine.spec import RunSpec


def test_the_weights_move_by_the_radius_uphill_and_come_back() -> None:
    weight = nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 0.0]]))
    still = nn.Parameter(torch.tensor([5.0]))
    weight.grad = torch.tensor([[3.0, 0.0], [4.0, 100.0]])
    mask = {"weight": torch.tensor([[True, True], [True, False]])}
    with climbed({"weight": weight, "still": still}, mask, 0.5):
        torch.testing.assert_close(weight.data, torch.tensor([[1.3, 2.0], [3.4, 0.0]]))
        assert still.item() == 5.0
    assert weight.tolist() == [[1.0, 2.0], [3.0, 0.0]]


def test_running_statistics_are_kept() -> None:
    norm = nn.BatchNorm2d(2)
    norm(torch.randn(4, 2, 3, 3))
    mean = norm.running_mean.clone()
    with statistics_kept(norm):
        norm(torch.randn(4, 2, 3, 3) + 9)
    assert torch.equal(norm.running_mean, mean) and norm.momentum == 0.1


@pytest.mark.parametrize("rho", [0.05, 2.0])
def test_a_step_takes_the_gradient_where_it_climbed_to(
    rho: float,
    tiny: Callable[..., RunSpec],
) -> None:
    """The reference: autograd on a copy, w - lr * g(w + rho g(w) / |g(w)|)."""
    sgd = {"name": "sgd", "lr": 0.1, "momentum": 0.0, "weight_decay": 0.0}
    spec = tiny(train={"epochs": 1, "batch_size": 25, "optimizer": sgd, "sam": rho})
    training, twin = begun(spec), begun(spec)
    parameters = dict(twin.net.named_parameters())
    batch, y = twin.augmented(torch.arange(25)), twin.data.train.y[:25]

    def gradient() -> dict[str, torch.Tensor]:
        loss = twin.loss(twin.net(twin.inputs(batch)), y)
        found = torch.autograd.grad(loss, list(parameters.values()))
        return {
            n: g * twin.mask[n] if n in twin.mask else g
            for n, g in zip(parameters, found, strict=True)
        }

    first = gradient()
    length = torch.cat([g.flatten() for g in first.values()]).norm()
    with torch.no_grad():
        for name, p in parameters.items():
            p.add_(rho * first[name] / length)
    second = gradient()
    rate = twin.learning_rate(0)
    with torch.no_grad():
        for name, p in parameters.items():
            p.sub_(rho * first[name] / length + rate * second[name])
    training.net.train()
    training.take_step(torch.arange(25), Plain(None))
    for name, p in training.net.named_parameters():
        torch.testing.assert_close(p, parameters[name], rtol=1e-4, atol=1e-5)
