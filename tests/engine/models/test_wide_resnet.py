"""Wide residual networks: the reference's counts, the order within a block, weights, dropout."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from engine import masks
from engine.models.wide_resnet import Settings
from engine.models.wide_resnet import build as make


def build(classes=10, channels=3, **knobs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make(Settings(**knobs), classes, channels, 32)


def total(weights):
    return sum(p.numel() for p in weights)


def small_dense(density):
    """The settings of a network with about this share of WRN-22-2's weights."""
    return {"width": 2 * math.sqrt(density), "stem_width": int(16 * math.sqrt(density))}


def test_wrn_22_2_has_the_counts_of_the_reference():
    net = build()
    assert total(net.parameters()) == 1_079_642
    assert total(masks.prunable(net, "conv").values()) == 1_075_632
    assert net.fc.weight.numel() == 1_280
    assert len(masks.prunable(net, "conv+linear")) == 23
    assert list(net.state_dict()) == list(build(depth=22, width=2, dropout=0.3).state_dict())


@pytest.mark.parametrize(
    ("density", "parameters"), [(0.05, 52_380), (0.1, 106_395), (0.2, 213_136), (0.5, 533_338)]
)
def test_small_dense_networks_have_the_counts_of_the_reference(density, parameters):
    assert total(build(**small_dense(density)).parameters()) == parameters


def test_wrn_28_10_has_the_count_of_its_paper():
    with torch.device("meta"):
        net = make(Settings(depth=28, width=10, init="random"), 10, 3, 32)
    assert round(total(net.parameters()) / 1e6, 1) == 36.5


@pytest.mark.parametrize(
    ("depth", "nearest"), [(11, "10 and 16"), (20, "16 and 22"), (27, "22 and 28")]
)
def test_a_depth_of_no_whole_blocks_is_refused_with_the_nearest(depth, nearest):
    with pytest.raises(ValidationError, match=f"{depth} is not 6n\\+4.*{nearest}"):
        Settings(depth=depth)


def test_the_function_is_the_paper_s():
    """Computed anew from the weights: normalise, rectify, convolve; shortcuts see the rectified."""
    net = build(classes=5, depth=10, width=0.5).eval()
    for norm in (m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            torch.nn.init.uniform_(tensor, 0.5, 1.5)
    state = net.state_dict()

    def active(name, x):
        mean, var, weight, bias = (
            state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, var, weight, bias).relu()

    def block(name, x, stride):
        first = active(f"{name}.bn1", x)
        out = functional.conv2d(first, state[f"{name}.conv1.weight"], None, stride, 1)
        out = active(f"{name}.bn2", out)
        out = functional.conv2d(out, state[f"{name}.conv2.weight"], None, 1, 1)
        return out + functional.conv2d(first, state[f"{name}.downsample.weight"], None, stride)

    x = images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    x = functional.conv2d(x, state["conv1.weight"], None, 1, 1)
    for stage, stride in ((1, 1), (2, 2), (3, 2)):
        x = block(f"layer{stage}.0", x, stride)
    x = active("bn", x)
    assert x.shape == (2, 32, 4, 4)
    expected = functional.linear(x.mean((2, 3)), state["fc.weight"], state["fc.bias"])
    torch.testing.assert_close(net(images), expected, rtol=1e-4, atol=1e-5)


def test_only_blocks_that_change_channels_or_size_have_a_shortcut_of_their_own():
    shortcuts = [name for name in build().state_dict() if "downsample" in name]
    assert shortcuts == [f"layer{stage}.0.downsample.weight" for stage in (1, 2, 3)]
    as_wide_as_its_stem = build(width=1).state_dict()
    assert "layer1.0.downsample.weight" not in as_wide_as_its_stem


def test_kaiming_weights_are_normal_with_the_fan_out_s_deviation():
    net = build()
    values = net.layer3[0].conv1.weight.detach().flatten()  # 64 channels come in, 128 go out
    expected = math.sqrt(2 / (128 * 9))
    assert values.std().item() == pytest.approx(expected, rel=0.03)
    assert (values.abs() > 2 * expected).float().mean().item() == pytest.approx(0.0455, abs=0.006)
    assert not net.fc.bias.any()
    assert build(init="random").fc.bias.all()


@pytest.mark.parametrize("training", [True, False])
def test_dropout_zeroes_its_share_before_the_second_convolution_while_training(training):
    def alive(dropout):
        """The share of what the first block's second convolution sees that is not zero."""
        shares, net = [], build(dropout=dropout).train(training)
        net.layer1[0].conv2.register_forward_pre_hook(
            lambda module, inputs: shares.append((inputs[0] != 0).float().mean().item())
        )
        with torch.random.fork_rng(devices=[]):
            net(torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)))
        return shares[0]

    kept = 0.7 if training else 1.0
    assert alive(0.3) == pytest.approx(kept * alive(0.0), abs=0.01)
