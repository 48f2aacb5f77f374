"""Operations: by hand, by the published figures of networks, and by those of sparse ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from engine import densities, flops, masks
from engine.masks import Mask
from engine.registry import load


def _build(name: str, classes: int = 10, size: int = 32, **knobs: Any) -> nn.Module:
    module = load("models", name)
    net: nn.Module = module.build(module.Settings(**knobs), classes, 3, size)
    return net


def _share(net: nn.Module, which: str, density: float, allocation: Any) -> float:
    """Of a network's operations, those of a mask with this allocation among `which`."""
    weights = masks.prunable(net, which)
    shapes = {name: tuple(p.shape) for name, p in weights.items()}
    counts = densities.counts(shapes, density, allocation)
    mask = masks.keep_top_per_layer({name: p.abs() for name, p in weights.items()}, counts)
    cost = flops.count(net, 3, 32)
    return cost.sparse(mask) / cost.dense


def test_a_network_by_hand() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),  # 10 pixels become 5
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, padding=1, groups=4),  # each weight sees 2 of the 8 channels
        nn.Flatten(),
        nn.Linear(200, 7),
    )
    cost = flops.count(net, 3, 10)
    assert cost.by_weight == {
        "0.weight": 2 * 25 * 8 * 27,
        "2.weight": 2 * 25 * 8 * 18,
        "4.weight": 2 * 1400,
    }
    assert cost.dense == 10_800 + 7_200 + 2_800


def test_a_map_of_tokens_and_one_used_twice_count_every_use() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.map(self.map(x.flatten(1).view(len(x), -1, 4)))  # type: ignore[no-any-return]

    assert flops.count(Tokens(), 3, 4).by_weight == {"map.weight": 2 * (2 * 12 * 16)}


def test_pruned_weights_cost_nothing_and_other_layers_all() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.Flatten(), nn.Linear(48, 2))
    alive = torch.zeros(3, 1, 3, 3, dtype=torch.bool)
    alive[0, 0, :2] = alive[2, 0, 1, 1] = True
    cost = flops.count(net, 1, 4)
    assert cost.sparse(Mask({"0.weight": alive})) == 2 * 16 * 7 + 2 * 96
    assert cost.sparse(Mask()) == cost.dense


def test_counting_leaves_the_network_as_it_was() -> None:
    net = _build("wide_resnet", depth=10, width=0.25).train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    flops.count(net, 3, 32)
    assert net.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())


def test_wide_resnet_22_2_costs_what_rigl_s_reproduction_says() -> None:
    """It adds a bias for each input of the last map, where one for each output is meant."""
    assert flops.count(_build("wide_resnet"), 3, 32).dense == 315_460_224 - 128


@pytest.mark.parametrize(
    ("name", "knobs", "size", "million"),
    [
        ("resnet18", {}, 32, 555),
        ("resnet18", {}, 64, 2222),
        ("resnet18", {"stem": "imagenet"}, 224, 1814),
        ("resnet18", {"stem": "imagenet"}, 32, 37),
        ("resnet50", {}, 32, 1298),
        ("resnet50", {"stem": "imagenet"}, 224, 4087),
        ("resnet18", {"convolution": "full"}, 32, 3265),
        ("resnet18", {"convolution": "harmonic"}, 32, 555),
        ("mobilenet_v2", {}, 32, 91),
        ("resnet20", {}, 32, 40.6),
        ("resnet56", {}, 32, 125.5),
        ("vgg16", {}, 32, 313),
    ],
)
def test_networks_cost_what_the_reference_says(
    name: str, knobs: dict[str, Any], size: int, million: float
) -> None:
    half = flops.count(_build(name, size=size, **knobs), 3, size).dense / 2e6
    assert half == pytest.approx(million, abs=0.05 if million % 1 else 0.5)


@pytest.mark.parametrize(
    ("allocation", "density", "published"),
    [
        ("erk", 0.05, 0.088),
        ("erk", 0.1, 0.174),
        ("erk", 0.2, 0.352),
        ("erk", 0.5, 0.728),
        ("er", 0.2, 0.349),
    ],
)
def test_sparse_wide_resnets_cost_the_published_share(
    allocation: str, density: float, published: float
) -> None:
    share = _share(_build("wide_resnet"), "conv+linear", density, allocation)
    assert share == pytest.approx(published, abs=1e-3)


@pytest.mark.parametrize(
    ("density", "published"), [(0.05, 0.053), (0.1, 0.103), (0.2, 0.202), (0.5, 0.501)]
)
def test_uniform_with_the_first_layer_out_of_the_count_costs_the_published_share(
    density: float, published: float
) -> None:
    """What RigL's reproduction calls random: its first convolution is not among the prunable."""
    share = _share(_build("wide_resnet"), "re:layer|fc", density, "uniform")
    assert share == pytest.approx(published, abs=1e-3)
