"""The vision transformer: its counts, torchvision's function, patches, and first weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from engine import masks
from engine.errors import SpecError
from engine.layouts import laid_out
from engine.models.vit_small import Settings
from engine.models.vit_small import build as make
from engine.sparsifiers import grasp

# Where a block of torchvision's has what a block of ours has.
BLOCK = {
    "norm1.weight": "ln_1.weight",
    "norm1.bias": "ln_1.bias",
    "attn.qkv.weight": "self_attention.in_proj_weight",
    "attn.qkv.bias": "self_attention.in_proj_bias",
    "attn.proj.weight": "self_attention.out_proj.weight",
    "attn.proj.bias": "self_attention.out_proj.bias",
    "norm2.weight": "ln_2.weight",
    "norm2.bias": "ln_2.bias",
    "mlp.fc1.weight": "mlp.0.weight",
    "mlp.fc1.bias": "mlp.0.bias",
    "mlp.fc2.weight": "mlp.3.weight",
    "mlp.fc2.bias": "mlp.3.bias",
}
OTHERS = {
    "cls_token": "class_token",
    "pos_embed": "encoder.pos_embedding",
    "patch_embed.proj.weight": "conv_proj.weight",
    "patch_embed.proj.bias": "conv_proj.bias",
    "norm.weight": "encoder.ln.weight",
    "norm.bias": "encoder.ln.bias",
    "head.weight": "heads.head.weight",
    "head.bias": "heads.head.bias",
}


def build(size=32, **knobs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make(Settings(**knobs), 10, 3, size)


@pytest.mark.parametrize(
    ("size", "patch", "tokens", "parameters"), [(32, 8, 17, 21_379_210), (224, 32, 50, 22_497_802)]
)
def test_counts_of_timm_s_small_transformer(size, patch, tokens, parameters):
    net = laid_out(Settings(patch=patch), 10, 3, size)
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert net.pos_embed.shape == (1, tokens, 384) and len(net.blocks) == 12
    weights = {which: masks.prunable(net, which) for which in ("linear", "attention", "mlp")}
    counts = {which: sum(p.numel() for p in found.values()) for which, found in weights.items()}
    square = 12 * 384**2
    assert counts == {"linear": 12 * square, "attention": 4 * square, "mlp": 8 * square}
    assert weights["linear"].keys() == weights["attention"].keys() | weights["mlp"].keys()


def test_it_is_torchvision_s_transformer():
    vision_transformer = pytest.importorskip("torchvision.models.vision_transformer")
    theirs = vision_transformer.VisionTransformer(16, 4, 12, 6, 24, 96, num_classes=10).eval()
    for parameter in theirs.parameters():  # what begins at zero would not be seen
        nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(3))
    blocks = {
        f"blocks.{i}.{ours}": f"encoder.layers.encoder_layer_{i}.{name}"
        for i in range(12)
        for ours, name in BLOCK.items()
    }
    state, net = theirs.state_dict(), build(16, patch=4, width=4).eval()
    net.load_state_dict({ours: state[name] for ours, name in (OTHERS | blocks).items()})
    x = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(x), theirs(x), rtol=1e-4, atol=1e-4)


def test_its_norms_divide_as_those_of_published_weights_do():
    net = laid_out(Settings(), 10, 3, 32)
    norms = [module for module in net.modules() if isinstance(module, nn.LayerNorm)]
    assert len(norms) == 25 and {norm.eps for norm in norms} == {1e-6}


def test_patches_that_do_not_divide_the_images_are_refused_with_those_that_do():
    with pytest.raises(SpecError, match=r"8 pixels do not divide images of 28.*1, 2, 4, 7, 14, 28"):
        build(28)
    assert build(28, patch=7, width=1)(torch.zeros(2, 3, 28, 28)).shape == (2, 10)


def test_grasp_differentiates_attention_twice():
    """Its scores say which way the gradient's norm goes as the weights grow."""
    net = build(8, patch=4, width=1).double()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(1))
    x = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(2)).double()
    name, y = "blocks.0.attn.qkv.weight", torch.arange(4)
    weight = net.get_parameter(name)

    def squared():
        loss = functional.cross_entropy(net(x), y)
        return torch.autograd.grad(loss, weight)[0].square().sum().item()

    batches = [(x, y, 1.0)]
    found = grasp.flow_kept(net, {name}, lambda passes: batches, functional.cross_entropy)[name]
    changed = []
    for factor in (1 + 1e-4, 1 - 1e-4):  # of all of its weights
        weight.data.mul_(factor)
        changed.append(squared())
        weight.data.div_(factor)
    # over their absolute sum, scores add to the sign of its slope
    assert found.sum().item() == pytest.approx(1.0 if changed[0] > changed[1] else -1.0, rel=1e-4)


def test_first_weights_are_timm_s():
    net = build(width=16)
    for values in (net.blocks[3].mlp.fc1.weight, net.head.weight, net.pos_embed):
        assert values.std().item() == pytest.approx(0.02, rel=0.1)
    biases = [m.bias for m in net.modules() if isinstance(m, nn.Linear)]
    assert len(biases) == 49 and not any(bias.any() for bias in biases)
    plain = build(width=16, init="random")
    assert not plain.pos_embed.any() and plain.head.bias.all()
    largest = plain.head.weight.abs().max().item()
    assert largest == pytest.approx(96**-0.5, rel=0.02)  # torch's own draw is uniform
