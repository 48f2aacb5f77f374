"""The residual networks: the reference's counts, torchvision's function, shortcuts, weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from engine import masks, registry
from engine.layouts import laid_out
from engine.models._resnet_cifar import PaddedIdentity


def build(name, classes=10, channels=3, **knobs):
    module = registry.load("models", name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return module.build(module.Settings(**knobs), classes, channels, 32)


def total(net):
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("name", "knobs", "classes", "channels", "parameters", "convolutions"),
    [
        ("resnet18", {}, 10, 3, 11_173_962, 11_159_232),
        ("resnet18", {}, 100, 3, 11_220_132, 11_159_232),
        ("resnet18", {"stem": "imagenet"}, 7, 3, 11_180_103, 11_166_912),
        ("resnet18", {"stem": "imagenet"}, 12, 1, 11_176_396, 11_160_640),
        ("resnet18", {"stem": "imagenet"}, 1000, 3, 11_689_512, 11_166_912),
        ("resnet18", {"width": 12}, 10, 3, 395_350, 392_580),
        ("resnet18", {"width": 40}, 10, 3, 4_368_690, 4_359_480),
        ("resnet18", {"width": 52}, 10, 3, 7_379_070, 7_367_100),
        ("resnet18", {"width": 58}, 10, 3, 9_178_452, 9_165_102),
        ("resnet34", {}, 10, 3, 21_282_122, 21_259_968),
        ("resnet50", {}, 10, 3, 23_520_842, 23_447_232),
        ("resnet50", {"stem": "imagenet"}, 100, 3, 23_712_932, 23_454_912),
        ("resnet101", {}, 10, 3, 42_512_970, 42_387_136),
        ("resnet152", {}, 10, 3, 58_156_618, 57_984_704),
        ("resnet18", {"convolution": "full"}, 10, 3, 11_173_962, 11_159_232),
        # the sum of 10,987,200 weights of waves and 172,032 of shortcuts
        ("resnet18", {"convolution": "harmonic"}, 10, 3, 11_173_962, 11_159_232),
        ("resnet50", {"zero_init": True}, 100, 3, 23_705_252, 23_447_232),
        ("resnet20", {}, 10, 3, 269_722, 267_696),
        ("resnet20", {}, 100, 3, 275_572, 267_696),
        ("resnet20", {"shortcut": "B"}, 10, 3, 272_474, 270_256),
        ("resnet20", {"shortcut": "conv"}, 10, 3, 272_282, 270_256),
        ("resnet32", {}, 10, 3, 464_154, 461_232),
        ("resnet44", {}, 10, 3, 658_586, 654_768),
        ("resnet56", {}, 10, 3, 853_018, 848_304),
        ("resnet56", {}, 100, 3, 858_868, 848_304),
        ("resnet110", {}, 10, 3, 1_727_962, 1_719_216),
    ],
)
def test_counts_of_the_reference(name, knobs, classes, channels, parameters, convolutions):
    settings = registry.load("models", name).Settings(**knobs)
    net = laid_out(settings, classes, channels, 32)
    assert total(net) == parameters
    assert sum(p.numel() for p in masks.prunable(net, "conv").values()) == convolutions


def test_every_convolution_of_resnet18():
    sizes = [p.numel() for p in masks.prunable(build("resnet18"), "conv").values()]
    assert sizes == [
        *(1_728, 36_864, 36_864, 36_864, 36_864),
        *(73_728, 147_456, 8_192, 147_456, 147_456),
        *(294_912, 589_824, 32_768, 589_824, 589_824),
        *(1_179_648, 2_359_296, 131_072, 2_359_296, 2_359_296),
    ]


@pytest.mark.parametrize("shortcut", ["A", "B", "conv"])
def test_re_conv_names_the_convolutions_that_continuous_sparsification_prunes(shortcut):
    found = masks.prunable(build("resnet20", shortcut=shortcut), "re:conv")
    assert len(found) == 19
    assert {tuple(p.shape[2:]) for p in found.values()} == {(3, 3)}
    assert sum(p.numel() for p in found.values()) == 267_696


def test_resnet50_prunes_its_classifier_too_as_in_rigl_s_reproduction():
    found = masks.prunable(build("resnet50", classes=100), "conv+linear")
    assert sum(p.numel() for p in found.values()) == 23_447_232 + 204_800


@pytest.mark.parametrize("name", ["resnet34", "resnet50", "resnet152"])
def test_parameters_have_torchvision_s_names_and_shapes(name):
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        theirs = getattr(torchvision.models, name)(num_classes=9).state_dict()
    settings = registry.load("models", name).Settings(stem="imagenet")
    ours = laid_out(settings, 9, 3, 224).state_dict()
    assert [(k, v.shape) for k, v in ours.items()] == [(k, v.shape) for k, v in theirs.items()]


@pytest.mark.parametrize("name", ["resnet18", "resnet101"])
def test_the_imagenet_stem_is_torchvisions_network(name):
    torchvision = pytest.importorskip("torchvision")
    theirs = getattr(torchvision.models, name)(num_classes=9).eval()
    ours = build(name, classes=9, stem="imagenet").eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "knobs", "smallest"),
    [
        ("resnet18", {"stem": "cifar"}, (512, 4, 4)),
        ("resnet18", {"stem": "imagenet"}, (512, 1, 1)),
        ("resnet20", {"shortcut": "A"}, (64, 8, 8)),
        ("resnet20", {"shortcut": "B"}, (64, 8, 8)),
    ],
)
def test_the_last_features_of_a_32_pixel_image(name, knobs, smallest):
    net, seen = build(name, **knobs), []
    last = net.layer4 if hasattr(net, "layer4") else net.layer3
    last.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[1:]))
    net(torch.zeros(2, 3, 32, 32))
    assert seen == [smallest]


def test_padded_identity_takes_every_other_pixel_between_zero_channels():
    x = torch.arange(2 * 3 * 3.0).view(1, 2, 3, 3)
    y = PaddedIdentity(2, 4, 2)(x)
    assert y.shape == (1, 4, 2, 2)
    assert y[0, 1].tolist() == [[0, 2], [6, 8]]
    assert y[0, 2].tolist() == [[9, 11], [15, 17]]
    assert not y[0, 0].any() and not y[0, 3].any()


def test_an_odd_width_is_padded_too():
    by_channel = PaddedIdentity(3, 6, 2)(torch.ones(1, 3, 4, 4)).sum((0, 2, 3))
    assert by_channel.tolist() == [0, 4, 4, 4, 0, 0]


def test_shortcut_a_equals_shortcut_b_with_a_frozen_selection():
    """Option B computes option A when its 1x1 convolution copies channels into the middle."""
    plain, projected = build("resnet20", shortcut="A"), build("resnet20", shortcut="B")
    projected.load_state_dict(plain.state_dict(), strict=False)
    for stage, inputs in ((projected.layer2, 16), (projected.layer3, 32)):
        conv, norm = stage[0].downsample
        weight = torch.zeros_like(conv.weight)
        weight[range(inputs // 2, inputs // 2 + inputs), range(inputs)] = 1
        conv.load_state_dict({"weight": weight})
        norm.eps = 0.0
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(plain.eval()(x), projected.eval()(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "init", "fan"),
    [("resnet18", "kaiming", "out"), ("resnet20", "kaiming", "in"), ("resnet20", None, "in")],
)
def test_kaiming_weights_are_normal_with_the_fan_s_deviation(name, init, fan):
    net = build(name, **({"init": init} if init else {}))
    conv = net.layer3[0].conv1  # twice as many channels go out as come in
    assert isinstance(conv, nn.Conv2d)
    channels = conv.out_channels if fan == "out" else conv.in_channels
    expected = math.sqrt(2 / (channels * 9))
    values = conv.weight.detach().flatten()
    assert values.std().item() == pytest.approx(expected, rel=0.03)
    assert (values.abs() > 2 * expected).float().mean().item() == pytest.approx(0.0455, abs=0.006)


@pytest.mark.parametrize(("name", "knobs"), [("resnet18", {}), ("resnet20", {"init": "random"})])
def test_random_weights_are_torchs_own(name, knobs):
    net = build(name, **knobs)
    conv = net.layer3[0].conv1
    bound = 1 / math.sqrt(conv.in_channels * 9)
    values = conv.weight.detach().abs().flatten()
    assert 0.99 * bound < values.max().item() <= bound
    assert values.mean().item() == pytest.approx(bound / 2, rel=0.02)


def test_xavier_weights_are_normal_with_the_deviation_of_both_fans():
    net = build("resnet20", shortcut="conv", init="xavier")
    fans = {
        net.layer3[0].conv1: (32 + 64) * 9,
        net.layer3[0].downsample: 32 + 64,
        net.fc: 64 + 10,
    }
    for module, fan in fans.items():
        values = module.weight.detach().flatten()
        expected = math.sqrt(2 / fan)
        assert values.std().item() == pytest.approx(expected, rel=0.1)
        assert 2.5 * expected < values.abs().max().item()  # a uniform draw ends at 1.7
    assert not net.fc.bias.any()


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_blocks_with_a_zero_start_are_their_shortcuts(name):
    net = build(name, width=4, zero_init=True).eval()
    x = torch.rand(2, 4 if name == "resnet18" else 16, 8, 8)
    assert torch.equal(net.layer1[1](x), x)
    started = build(name, width=4).eval()
    assert not torch.equal(started.layer1[1](x), x)
