"""Dead filters and living paths: by hand, by products of bool matrices, and by what they change."""

import pytest
import torch
from torch import nn

from engine import masks, registry
from engine.evaluations import _paths, dead_filters
from engine.images import Images

PIXELS = torch.zeros(2, 2, 3, 3, dtype=torch.uint8)
IMAGES = Images(PIXELS, torch.tensor([0, 1]), ("one", "two"), ("a", "b"))


def built(name, classes=3, channels=2, size=8, **settings):
    module = registry.load("models", name)
    torch.manual_seed(0)
    return module.build(module.Settings(**settings), classes, channels, size)


def drawn(net, density, which="conv+linear"):
    rng = torch.Generator().manual_seed(1)
    found = masks.prunable(net, which)
    return masks.Mask({n: torch.rand(p.shape, generator=rng) < density for n, p in found.items()})


def chain():
    """Two convolutions in a row, of 2, 3 and 2 channels, and a classifier that is not pruned."""
    first, second = nn.Conv2d(2, 3, 1), nn.Conv2d(3, 2, 1)
    relu = nn.ReLU(inplace=True)
    norms = nn.BatchNorm2d(3), nn.BatchNorm2d(2)
    flat = nn.Flatten(), nn.Linear(18, 2)
    return nn.Sequential(first, norms[0], relu, second, norms[1], nn.ReLU(inplace=True), *flat)


def kept(rows):
    return torch.tensor(rows, dtype=torch.bool)[:, :, None, None]


def test_a_chain_by_hand(context):
    # filter 0 of the first is empty; nobody reads filter 1; filter 1 of the second reads only 0
    mask = masks.Mask(
        {"0.weight": kept([[0, 0], [1, 1], [1, 0]]), "3.weight": kept([[0, 0, 1], [1, 0, 0]])}
    )
    found = dead_filters.evaluate(dead_filters.Settings(), context(chain, IMAGES, mask=mask))
    layers = found.files["dead_filters.json"]
    assert layers["0.weight"] == {
        **{"weights": 6, "kept": 3, "on paths": 1, "filters": 3, "empty": 1, "cut off": 1},
        **{"channels": 2, "unread": 0},
    }
    assert layers["3.weight"] == {
        **{"weights": 6, "kept": 2, "on paths": 1, "filters": 2, "empty": 0, "cut off": 1},
        **{"channels": 3, "unread": 1},
    }
    assert found.metrics == {
        "density": 5 / 12,
        "effective density": 2 / 12,
        "dead filters": 3 / 5,
        "empty filters": 1 / 5,
        "unread channels": 1 / 5,
        "collapsed layers": 0,
    }


def test_a_collapsed_layer_cuts_a_chain_in_two(context):
    mask = masks.Mask({"0.weight": kept([[0, 0]] * 3), "3.weight": kept([[1, 1, 1]] * 2)})
    found = dead_filters.evaluate(dead_filters.Settings(), context(chain, IMAGES, mask=mask))
    assert found.metrics["collapsed layers"] == 1
    assert found.metrics["dead filters"] == 1 and found.metrics["effective density"] == 0


def test_a_shortcut_keeps_what_stands_beside_a_collapsed_layer():
    net = built("resnet20", width=4, shortcut="A")
    mask = masks.ones(masks.prunable(net, "conv"))
    mask["layer2.1.conv2.weight"][:] = False
    living = _paths.living(net, mask, (2, 8, 8))
    dead = {name for name in mask if not living[name].any()}
    assert dead == {"layer2.1.conv1.weight", "layer2.1.conv2.weight"}
    assert all(torch.equal(living[name], mask[name]) for name in mask if name not in dead)


def test_filters_of_groups_read_their_own_channels(context):
    def net():
        grouped = nn.Conv2d(4, 4, 1, groups=2)
        return nn.Sequential(nn.Conv2d(2, 4, 1), grouped, nn.Flatten(), nn.Linear(36, 2))

    # each filter of the second group reads its first channel, 2; those of the first read 0 and 1
    mask = masks.Mask({"1.weight": kept([[1, 0], [0, 1], [1, 0], [1, 0]])})
    found = dead_filters.evaluate(dead_filters.Settings(), context(net, IMAGES, mask=mask))
    assert found.files["dead_filters.json"]["1.weight"]["channels"] == 4
    assert found.metrics["unread channels"] == 1 / 4


def test_paths_of_a_perceptron_are_products_of_its_masks():
    net = built("mlp", hidden=(20, 30, 20))
    mask = drawn(net, 0.06)
    ways = [m.double() for m in mask.values()]
    there = [torch.ones(len(ways[0][0]), 1, dtype=torch.float64)]
    for way in ways:
        there.append(way @ there[-1])
    back = [torch.ones(1, len(ways[-1]), dtype=torch.float64)]
    for way in reversed(ways):
        back.insert(0, back[0] @ way)
    expected = [
        way.bool() & (there[at].T > 0) & (back[at + 1].T > 0) for at, way in enumerate(ways)
    ]
    found = _paths.living(net, mask, (2, 8, 8))
    assert [torch.equal(*two) for two in zip(found.values(), expected, strict=True)] == [True] * 4
    assert 0 < found.kept < mask.kept


@pytest.mark.parametrize(
    ("name", "settings", "density"),
    [
        ("resnet20", {"width": 4, "shortcut": "B"}, 0.1),
        ("resnet18", {"width": 4, "convolution": "harmonic"}, 0.1),
        ("wide_resnet", {"depth": 10, "width": 1}, 0.1),
        ("mobilenet_v2", {"width": 0.25}, 0.1),
        ("vgg11", {"width": 4}, 0.1),
        ("vit_small", {"width": 2, "patch": 4}, 0.1),
    ],
)
def test_what_is_on_no_path_changes_nothing(name, settings, density):
    net = built(name, **settings)
    for own in [n for n, m in net.named_modules() if isinstance(m, nn.LayerNorm)]:
        net.set_submodule(own, nn.Identity())  # its statistics go from channel to channel
    with torch.no_grad():  # what comes from elsewhere than the image goes along no path
        for own, weight in net.named_parameters():
            if weight.ndim == 1 and own.endswith("bias") or own in ("cls_token", "pos_embed"):
                weight.zero_()
    net.double().eval()
    mask, x = drawn(net, density), torch.rand(3, 2, 8, 8, dtype=torch.float64)
    state = {n: t.clone() for n, t in net.state_dict().items()}
    living = _paths.living(net, mask, (2, 8, 8))
    assert 0 < living.kept < mask.kept

    def said(alive):
        net.load_state_dict({n: t * alive[n] if n in alive else t for n, t in state.items()})
        return net(x)

    assert torch.allclose(said(mask), said(living), rtol=1e-9, atol=0)
    whole = masks.ones(mask)
    dense = _paths.living(net, whole, (2, 8, 8))
    assert all(dense[n].flatten(1).any(1).all() for n in mask)


@pytest.mark.parametrize("name", ["cosine", "tvmf"])
def test_heads_of_losses_end_no_path(name):
    module = registry.load("losses", name)
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), module.head(module.Settings(), 3, 2))
    mask = masks.ones(masks.prunable(net, "conv+linear"))
    assert _paths.living(net, mask, (2, 3, 3)).same(mask)


def test_thin_paths_through_very_deep_networks_are_found():
    net = nn.Sequential(nn.Flatten(), *(nn.Linear(32, 32) for _ in range(480)), nn.Linear(32, 2))
    mask = masks.ones(masks.prunable(net, "conv+linear"))
    for m in list(mask.values())[1::2]:
        m[:] = torch.eye(32, dtype=torch.bool)
    assert _paths.living(net, mask, (2, 4, 4)).kept == mask.kept


def test_attention_goes_where_it_is_decided_and_taken():
    class Attention(nn.Module):
        def __init__(self, written_out):
            super().__init__()
            self.written_out = written_out
            self.query, self.key, self.value = (nn.Linear(2, 2, bias=False) for _ in range(3))

        def forward(self, x):
            query, key, value = self.query(x), self.key(x), self.value(x)
            if not self.written_out:
                return nn.functional.scaled_dot_product_attention(query, key, value)
            return (query @ key.transpose(1, 2)).softmax(-1) @ value

    # only the second numbers of queries and keys meet; the first of the queries meets nothing
    rows = {"query": [[1, 1], [1, 0]], "key": [[0, 0], [0, 1]], "value": [[1, 0], [0, 0]]}
    drawn = {f"{name}.weight": torch.tensor(row, dtype=torch.bool) for name, row in rows.items()}
    for written_out in (False, True):
        living = _paths.living(Attention(written_out), masks.Mask(drawn), (2, 2))
        assert [int(m.sum()) for m in living.values()] == [1, 1, 1]
        drawn_apart = {**drawn, "key.weight": torch.zeros(2, 2, dtype=torch.bool)}
        apart = _paths.living(Attention(written_out), masks.Mask(drawn_apart), (2, 2))
        assert [int(m.sum()) for m in apart.values()] == [0, 0, 1]  # all tokens alike
