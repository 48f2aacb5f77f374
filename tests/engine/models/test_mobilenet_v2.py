"""MobileNetV2: the reference's counts, torchvision's function, and the variant for small images."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine import masks
from engine.layouts import laid_out
from engine.models.mobilenet_v2 import Settings
from engine.models.mobilenet_v2 import build as make


def build(**knobs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make(Settings(**knobs), 10, 3, 32).eval()


def test_counts_of_the_reference():
    net = laid_out(Settings(), 10, 3, 32)
    assert sum(p.numel() for p in net.parameters()) == 2_296_922
    convolutions = masks.prunable(net, "conv")
    assert sum(p.numel() for p in convolutions.values()) == 2_249_024
    assert len(convolutions) == 57
    depthwise = [p for p in convolutions.values() if p.shape[1] == 1]
    assert len(depthwise) == 17


def test_the_imagenet_stem_is_torchvision_s_network():
    torchvision = pytest.importorskip("torchvision")
    theirs = torchvision.models.mobilenet_v2(num_classes=10).eval()
    ours = build(stem="imagenet")
    assert list(ours.state_dict()) == list(theirs.state_dict())
    state = theirs.state_dict()
    for name, tensor in state.items():  # so that rectifiers are cut off at 6, too
        if name.endswith("running_var"):
            tensor.fill_(1e-3)
    ours.load_state_dict(state)
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-4)


def test_what_it_shares_with_torchvision_s_has_the_same_names_and_shapes():
    small = {n: t.shape for n, t in build(width=0.25).state_dict().items()}
    large = {n: t.shape for n, t in build(width=0.25, stem="imagenet").state_dict().items()}
    differ = {n.partition(".conv")[0] for n, shape in large.items() if small.get(n) != shape}
    assert differ == {"features.1"}
    added = {n.rpartition(".downsample")[0] for n in small if "downsample" in n}
    assert added == {f"features.{block}" for block in (1, 2, 11, 17)}


@pytest.mark.parametrize(
    ("stem", "expected"),
    [("cifar", [32, 32, 32, 16, 8, 8, 4, 4, 4]), ("imagenet", [16, 16, 8, 4, 2, 2, 1, 1, 1])],
)
def test_where_maps_are_halved(stem, expected):
    net, seen = build(width=0.125, stem=stem), []
    for index in (0, 1, 2, 4, 7, 11, 14, 17, 18):
        net.features[index].register_forward_hook(
            lambda module, inputs, output: seen.append(output.shape[-1])
        )
    net(torch.zeros(1, 3, 32, 32))
    assert seen == expected


@pytest.mark.parametrize("index", [3, 2])  # its own input beside it, and a projection of that
def test_a_block_of_stride_1_adds_its_shortcut(index):
    block = build(width=0.25).features[index]
    x = torch.randn(2, block.conv[0][0].in_channels, 8, 8)
    beside = x if index == 3 else block.downsample(x)
    torch.testing.assert_close(block(x), block.conv(x) + beside)
    assert isinstance(block.conv[-1], nn.BatchNorm2d)


def test_kaiming_weights_are_torchvision_s():
    net = build(init="kaiming")
    assert net.classifier[1].weight.std().item() == pytest.approx(0.01, rel=0.03)
    assert not net.classifier[1].bias.any()
    last = net.features[18][0].weight  # 1280 channels go out
    assert last.std().item() == pytest.approx((2 / 1280) ** 0.5, rel=0.01)
