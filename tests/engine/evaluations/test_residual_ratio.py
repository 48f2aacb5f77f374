"""Shortcuts beside branches, against blocks that are computed step by step."""

import pytest
import torch
from torch import nn

from engine import registry
from engine.errors import Inapplicable
from engine.evaluations import residual_ratio
from engine.images import Images

RNG = torch.Generator().manual_seed(0)
X = torch.randint(0, 255, (5, 2, 8, 8), generator=RNG, dtype=torch.uint8)
IMAGES = Images(X, torch.tensor([0, 1, 0, 1, 0]), tuple("abcde"), ("0", "1"))


def built(name, **settings):
    module = registry.load("models", name)
    torch.manual_seed(0)
    net = module.build(module.Settings(**settings), 2, 2, 8).eval()
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.normal_(norm.bias)
    return net


def ratio(shortcut, out):
    return (shortcut.flatten(1).norm(dim=1) / out.flatten(1).norm(dim=1)).mean().item()


def through(net, name):
    """Ratios of a network's blocks, in order."""
    x, found = X.float(), []
    if name == "vit_small":
        x = torch.cat((net.cls_token.expand(5, -1, -1), net.patch_embed(x)), 1) + net.pos_embed
        for block in net.blocks:
            for out in (
                lambda x, b=block: b.attn(b.norm1(x)),
                lambda x, b=block: b.mlp(b.norm2(x)),
            ):
                found.append(ratio(x, out(x)))
                x = x + out(x)
        return found
    x = net.conv1(x) if name == "wide_resnet" else net.bn1(net.conv1(x)).relu()
    for block in (b for n in (1, 2, 3, 4) for b in getattr(net, f"layer{n}", ())):
        seen = block.bn1(x).relu() if name == "wide_resnet" else x
        shortcut = x if block.downsample is None else block.downsample(block_pad(block, seen))
        if name == "wide_resnet":
            out = block.conv2(block.bn2(block.conv1(seen)).relu())
        else:
            out = block.bn2(block.conv2(block.bn1(block.conv1(x)).relu()))
            if name == "resnet50":
                out = block.bn3(block.conv3(out.relu()))
        found.append(ratio(shortcut, out))
        whole = out + (block_pad(block, x) if block.downsample is None else shortcut)
        x = whole if name == "wide_resnet" else whole.relu()
    return found


def block_pad(block, x):
    return block.pad(x) if hasattr(block, "pad") else x


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("resnet20", {"width": 4, "shortcut": "A"}),
        ("resnet20", {"width": 4, "shortcut": "B"}),
        ("resnet18", {"width": 4, "convolution": "full"}),
        ("resnet50", {"width": 4}),
        ("wide_resnet", {"depth": 10, "width": 1}),
        ("vit_small", {"width": 2, "patch": 4}),
    ],
)
def test_ratios_are_those_of_the_blocks(context, name, settings):
    made = context(lambda: built(name, **settings), IMAGES)
    found = residual_ratio.evaluate(residual_ratio.Settings(), made)
    with torch.no_grad():
        expected = through(built(name, **settings), name)
    ratios = [*found.files["residual_ratio.json"].values()]
    assert ratios == pytest.approx(expected, rel=1e-4)
    assert found.metrics == {
        "mean": pytest.approx(sum(expected) / len(expected), rel=1e-4),
        "lowest": pytest.approx(min(expected), rel=1e-4),
        "highest": pytest.approx(max(expected), rel=1e-4),
    }


def test_inverted_residuals_that_add_nothing_are_left_out(context):
    net = built("mobilenet_v2", width=0.25, stem="imagenet")
    seen = []
    for block in net.features:
        if getattr(block, "adds", False):
            block.conv.register_forward_hook(lambda m, i, o: seen.append(ratio(i[0], o)))
    with torch.no_grad():
        net(X.float())
    made = context(lambda: built("mobilenet_v2", width=0.25, stem="imagenet"), IMAGES)
    found = residual_ratio.evaluate(residual_ratio.Settings(), made)
    assert [*found.files["residual_ratio.json"].values()] == pytest.approx(seen, rel=1e-4)
    assert len(seen) == 10


def test_a_branch_of_zeros_has_no_ratio(context):
    def net():
        found = built("resnet20", width=4)
        nn.init.zeros_(found.layer1[1].bn2.weight)
        nn.init.zeros_(found.layer1[1].bn2.bias)
        return found

    found = residual_ratio.evaluate(residual_ratio.Settings(), context(net, IMAGES))
    ratios = found.files["residual_ratio.json"]
    assert [name for name, ratio in ratios.items() if ratio is None] == ["layer1.1.bn2"]
    assert len(ratios) == 9 and found.metrics["mean"] > 0


def test_networks_without_shortcuts_are_refused(context):
    made = context(lambda: nn.Sequential(nn.Flatten(), nn.Linear(128, 2)), IMAGES)
    with pytest.raises(Inapplicable, match="for residual networks"):
        residual_ratio.evaluate(residual_ratio.Settings(), made)
