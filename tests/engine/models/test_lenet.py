"""LeNets and perceptrons: the counts that are quoted for MNIST, images of other sizes, widths."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from engine import masks, registry


def build(name, channels=1, size=28, **knobs):
    module = registry.load("models", name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return module.build(module.Settings(**knobs), 10, channels, size)


@pytest.mark.parametrize(
    ("name", "parameters", "which", "weights"),
    [
        ("lenet_300_100", 266_610, "conv+linear", 784 * 300 + 300 * 100 + 100 * 10),
        ("lenet_300_100", 266_610, "linear", 784 * 300 + 300 * 100),
        ("lenet5", 61_706, "conv", 6 * 25 + 16 * 6 * 25),
        ("lenet5", 61_706, "linear", 400 * 120 + 120 * 84),
    ],
)
def test_counts_for_mnist(name, parameters, which, weights):
    net = build(name)
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert sum(p.numel() for p in masks.prunable(net, which).values()) == weights


def test_lenet5_sees_a_small_image_amid_zeros():
    small, whole, x = build("lenet5"), build("lenet5", size=32), torch.rand(2, 1, 28, 28)
    assert torch.equal(small(x), whole(functional.pad(x, (2, 2, 2, 2))))
    odd = build("lenet5", size=7).layers[0]
    assert odd.in_features == 400
    assert build("lenet5", channels=13, size=64)(torch.rand(2, 13, 64, 64)).shape == (2, 10)


def test_lenet5_by_its_weights():
    net, x = build("lenet5", size=32), torch.rand(2, 1, 32, 32)
    logits, state = net(x), net.state_dict()
    for name in ("conv1", "conv2"):
        x = functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"]).relu()
        x = functional.max_pool2d(x, 2)
    x = x.flatten(1)
    for name in ("layers.0", "layers.2"):
        x = functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"]).relu()
    torch.testing.assert_close(logits, functional.linear(x, state["fc.weight"], state["fc.bias"]))


def test_a_perceptron_has_the_layers_that_it_is_given():
    net = build("mlp", channels=3, size=4, hidden=[7, 5])
    shapes = [tuple(p.shape) for p in net.parameters() if p.ndim == 2]
    assert shapes == [(7, 48), (5, 7), (10, 5)]
    for hidden in ([], [0]):
        with pytest.raises(ValidationError, match="hidden"):
            build("mlp", hidden=hidden)


def test_widths_are_rounded_down():
    first, second = (
        p for p in build("lenet_300_100", width=0.25).layers.parameters() if p.ndim == 2
    )
    assert (first.shape, second.shape) == ((75, 784), (25, 75))
    assert build("lenet5", width=0.1).conv1.weight.shape == (1, 1, 5, 5)
