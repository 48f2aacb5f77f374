"""Full and harmonic convolutions: how maps grow, and filters that are sums of cosine waves."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from engine import registry
from engine.models._convolutions import HarmonicConvolution, HarmonicStem, waves


def build(name, **knobs):
    module = registry.load("models", name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return module.build(module.Settings(**knobs), 10, 3, 32).eval()


def images(size, channels=3):
    rng = torch.Generator().manual_seed(1)
    return torch.randn(2, channels, size, size, generator=rng)


@pytest.mark.parametrize(
    ("name", "stem", "size", "expected"),
    [
        # the reference's figures
        ("resnet18", "cifar", 32, [32, 40, 27, 21, 18]),
        ("resnet18", "imagenet", 224, [56, 64, 39, 27, 21]),
        # 3, 4, 6 and 3 blocks add 2 each; those that halve, rounding up, 1
        ("resnet50", "cifar", 32, [32, 38, 26, 24, 17]),
    ],
)
def test_full_convolutions_grow_maps(name, stem, size, expected):
    net, seen = build(name, width=2, stem=stem, convolution="full"), []
    for layer in (net.maxpool, net.layer1, net.layer2, net.layer3, net.layer4):
        layer.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[-1]))
    net(images(size))
    assert seen == expected


def test_a_full_block_is_a_plain_one_on_maps_with_room_around_them():
    """Its shortcut lies in the middle of what it adds."""
    plain = build("resnet18", width=2).layer2[0]
    full = build("resnet18", width=2, convolution="full").layer2[0]
    full.load_state_dict(plain.state_dict())
    x = images(9, channels=2)
    shortcut = plain.downsample(functional.pad(x, (3, 3, 3, 3)))
    weights = plain.conv1.weight, plain.conv2.weight
    out = plain.bn1(functional.conv2d(x, weights[0], None, 2, 2)).relu()
    out = plain.bn2(functional.conv2d(out, weights[1], None, 1, 2))
    torch.testing.assert_close(full(x), (out + shortcut).relu())


@pytest.mark.parametrize("size", [3, 7])
def test_waves_are_those_of_the_discrete_cosine_transform(size):
    fft = pytest.importorskip("scipy.fft")
    impulses = torch.eye(size**2).view(-1, size, size).numpy()  # one frequency each
    expected = torch.from_numpy(fft.idctn(impulses, type=2, axes=(1, 2), norm="ortho"))
    torch.testing.assert_close(waves(size, 2 * size, "orthonormal"), expected)
    absolute = expected / expected.abs().sum((1, 2), keepdim=True)
    torch.testing.assert_close(waves(size, 2 * size, "l1"), absolute)


def test_waves_by_hand():
    mean, across, *_ = waves(3, 5, "l1")
    torch.testing.assert_close(mean, torch.full((3, 3), 1 / 9))
    torch.testing.assert_close(across, torch.tensor([[1 / 6, 0, -1 / 6]]).repeat(3, 1))
    torch.testing.assert_close(waves(3, 2, "l1")[2], across.T)


@pytest.mark.parametrize(("level", "kept"), [(1, 1), (2, 3), (3, 6), (4, 8), (5, 9)])
def test_a_level_keeps_the_waves_of_lower_frequency(level, kept):
    net = build("resnet18", width=2, convolution="harmonic", harmonic_level=level)
    assert net.layer1[0].conv1.weight.shape == (2, 2, kept)
    assert net.conv1.weight.shape == (2, 3, 9)  # the first layer has all of them
    low = [i + j < level for i in range(3) for j in range(3)]
    torch.testing.assert_close(waves(3, level, "l1"), waves(3, 5, "l1")[low])


@pytest.mark.parametrize("stride", [1, 2])
def test_a_harmonic_convolution_is_a_plain_one_with_filters_of_waves(stride):
    layer = HarmonicConvolution(4, 5, waves(3, 3, "l1"), stride)
    filters = torch.zeros(5, 4, 3, 3)
    for o in range(5):
        for i in range(4):
            for wave, weight in zip(layer.waves, layer.weight[o, i], strict=True):
                filters[o, i] += weight.detach() * wave
    x = images(8, channels=4)
    torch.testing.assert_close(layer(x), functional.conv2d(x, filters, None, stride, 1))


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (7, 2)])
def test_the_first_layer_normalises_each_wave_s_map_of_each_channel(size, stride):
    bank = waves(size, 2 * size, "l1")
    layer, x = HarmonicStem(3, 5, bank, stride).train(), images(14)
    out = torch.zeros_like(layer(x))
    for i in range(3):
        for w, wave in enumerate(bank):
            one = functional.conv2d(x[:, i : i + 1], wave[None, None], None, stride, size // 2)
            normal = (one - one.mean()) / (one.var(correction=0) + 1e-5).sqrt()
            out += layer.weight[:, i, w].view(1, 5, 1, 1) * normal
    torch.testing.assert_close(layer(x), out, rtol=1e-4, atol=1e-5)
    assert [name for name, _ in layer.named_parameters()] == ["weight"]


def test_waves_are_no_part_of_what_is_kept():
    harmonic = build("resnet18", width=2, convolution="harmonic").state_dict()
    plain = build("resnet18", width=2).state_dict()
    assert not any("waves" in name for name in harmonic)
    assert {n for n in harmonic if not n.startswith("conv1.bn.")} == plain.keys()


@pytest.mark.parametrize(
    ("init", "deviation"),
    [("random", 1 / math.sqrt(3 * 64 * 9)), ("kaiming", math.sqrt(2 / (128 * 9)))],
)
def test_weights_of_waves_are_drawn_as_those_of_pixels(init, deviation):
    net = build("resnet18", convolution="harmonic", init=init)
    weight = net.layer2[0].conv1.weight.detach()
    assert weight.shape == (128, 64, 9)
    assert weight.std().item() == pytest.approx(deviation, rel=0.02)


@pytest.mark.parametrize("knobs", [{"harmonic_level": 3}, {"harmonic_norm": "orthonormal"}])
def test_settings_of_waves_are_refused_where_there_are_none(knobs):
    settings = registry.load("models", "resnet18").Settings
    with pytest.raises(ValidationError, match="has no effect with convolution: full"):
        settings(convolution="full", **knobs)
