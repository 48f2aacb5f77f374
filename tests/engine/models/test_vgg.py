"""VGG: the reference's counts, torchvision's function, weights, and very small images."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from engine import masks, registry


def build(name, size=32, **knobs):
    module = registry.load("models", name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return module.build(module.Settings(**knobs), 10, 3, size)


@pytest.mark.parametrize(
    ("name", "parameters", "convolutions"),
    [
        ("vgg11", 9_231_114, 9_217_728),
        ("vgg13", 9_416_010, 9_402_048),
        ("vgg16", 14_728_266, 14_710_464),
        ("vgg19", 20_040_522, 20_018_880),
    ],
)
def test_counts_of_the_reference(name, parameters, convolutions):
    net = build(name)
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert sum(p.numel() for p in masks.prunable(net, "conv").values()) == convolutions


@pytest.mark.parametrize(
    ("name", "letter"), [("vgg11", "A"), ("vgg13", "B"), ("vgg16", "D"), ("vgg19", "E")]
)
def test_the_convolutions_are_torchvision_s_without_the_last_pooling(name, letter):
    vgg = pytest.importorskip("torchvision.models.vgg")
    tenth = [v if v == "M" else v // 16 for v in vgg.cfgs[letter]]
    theirs = vgg.make_layers(tenth, batch_norm=True)[:-1].eval()
    ours = build(name, width=4).features.eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    assert ours(x).shape == (2, 32, 2, 2)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-6)


def test_logits_are_linear_in_the_mean_of_the_last_maps():
    net = build("vgg11", width=4).eval()
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    expected = net.classifier(net.features(x).flatten(2).mean(2))
    torch.testing.assert_close(net(x), expected)


def test_maps_of_one_pixel_are_not_halved_and_names_do_not_change_with_the_size():
    small, usual = build("vgg16", size=8, width=4).eval(), build("vgg16", width=4)
    assert list(small.state_dict()) == list(usual.state_dict())
    assert small.features(torch.zeros(1, 3, 8, 8)).shape == (1, 32, 1, 1)
    assert small.features(torch.zeros(1, 3, 16, 16)).shape == (1, 32, 2, 2)


def test_kaiming_weights_are_normal_and_biases_zero():
    net = build("vgg16")
    expanding = net.features[7]  # 64 channels come in, 128 go out
    assert isinstance(expanding, nn.Conv2d) and expanding.in_channels == 64
    values = expanding.weight.detach().flatten()
    expected = math.sqrt(2 / (128 * 9))
    assert values.std().item() == pytest.approx(expected, rel=0.03)
    assert (values.abs() > 2 * expected).float().mean().item() == pytest.approx(0.0455, abs=0.006)
    assert net.classifier.weight.std().item() == pytest.approx(0.01, rel=0.03)
    biases = [m.bias for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(biases) == 14 and not any(bias.any() for bias in biases)
    assert build("vgg16", width=4, init="random").classifier.bias.all()
