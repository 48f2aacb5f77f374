"""Networks without the channels that can go: they say the same, and the right ones go."""

import pytest
import torch
from torch import nn

from engine import masks, registry
from engine.evaluations._narrowed import narrowed

DEEPER = {"resnet34", "resnet101", "resnet152", "resnet32", "resnet44", "resnet56", "resnet110"}
DEEPER |= {"vgg13", "vgg16", "vgg19"}
SMALL = {
    "lenet5": {},
    "lenet_300_100": {},
    "mlp": {},
    "mobilenet_v2": {"width": 0.25},
    "vit_small": {"width": 2},
    "wide_resnet": {"depth": 10, "width": 0.25, "stem_width": 3},
}
NETWORKS = [(name, {}) for name in registry.names("models") if name not in DEEPER]
NETWORKS += [("resnet18", {"convolution": "full", "stem": "imagenet"})]
NETWORKS += [("resnet18", {"convolution": "harmonic"})]
NETWORKS += [("resnet20", {"shortcut": shortcut}) for shortcut in ("B", "conv")]
IMAGE = torch.zeros(1, 3, 32, 32, dtype=torch.double)


def built(name, knobs):
    """A network with statistics and shifts, half of its weights, and dead filters."""
    module = registry.load("models", name)
    torch.manual_seed(0)
    settings = module.Settings(**SMALL.get(name, {"width": 4}), **knobs)
    net = module.build(settings, 10, 3, 32).double().eval()
    with torch.no_grad():
        for norm in (one for one in net.modules() if isinstance(one, nn.BatchNorm2d)):
            norm.running_mean.uniform_(-0.1, 0.1)
            norm.running_var.uniform_(0.02, 0.1)
            if norm.affine:
                norm.bias.uniform_(-0.5, 0.5)
        weights = [*masks.prunable(net, "conv+linear").values()]
        for weight in weights[:-1]:
            weight *= torch.rand_like(weight) < 0.5
            weight[torch.rand(len(weight)) < 0.25] = 0
    return net


@pytest.mark.parametrize(("name", "knobs"), NETWORKS)
def test_a_narrowed_network_says_the_same_in_every_family(name, knobs):
    net = built(name, knobs)
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    found = narrowed(net, IMAGE)
    shown = torch.randn(3, 3, 32, 32, dtype=torch.double)
    with torch.no_grad():
        said, other = net(shown), found.net(shown)
    assert (said - said[0]).abs().max() > 1e-9  # images arrive at all
    torch.testing.assert_close(other, said, rtol=1e-10, atol=1e-12)
    gone = [one["outputs"] - one["outputs kept"] for one in found.layers.values()]
    assert any(gone) or "harmonic" in knobs.values()
    after = net.state_dict()
    assert all(torch.equal(after[key], tensor) for key, tensor in before.items())


def counts(net, channels=1):
    """By map, inputs and outputs that stay; and whether the network says what it said."""
    net = net.double().eval()
    found = narrowed(net, torch.zeros(1, channels, 5, 5, dtype=torch.double))
    shown = torch.randn(2, channels, 5, 5, dtype=torch.double)
    with torch.no_grad():
        torch.testing.assert_close(found.net(shown), net(shown), rtol=1e-10, atol=1e-12)
    return {n: (one["inputs kept"], one["outputs kept"]) for n, one in found.layers.items()}


def filters(convolution, kept):
    """Set which inputs [outputs][inputs] a convolution reads."""
    with torch.no_grad():
        which = torch.tensor(kept, dtype=torch.bool)[:, :, None, None]
        convolution.weight.copy_(torch.where(which, 1.0, 0.0) * torch.rand(1).add(0.5))


class Net(nn.Module):
    """Two convolutions, with or without a third beside them, and a mean."""

    def __init__(self, shortcut=False):
        super().__init__()
        self.stem, self.first = nn.Conv2d(1, 3, 1), nn.Conv2d(3, 3, 3, 1, 1)
        self.norm, self.relu = nn.BatchNorm2d(3), nn.ReLU(inplace=True)
        self.second, self.side = nn.Conv2d(3, 3, 3, 1, 1), nn.Conv2d(3, 3, 1)
        self.fc = nn.Linear(3, 2)
        self.shortcut = shortcut

    def forward(self, x):
        x = self.stem(x)
        out = self.second(self.relu(self.norm(self.first(x))))
        if self.shortcut:
            out += self.side(x)
        return self.fc(torch.mean(out, (2, 3)))


def test_constants_go_whatever_they_are_and_so_do_unread_filters():
    net = Net()
    # of the first, filter 0 is empty; nobody reads filter 1; nobody needs what only it read
    filters(net.first, [[0, 0, 0], [0, 1, 0], [1, 0, 0]])
    filters(net.second, [[1, 0, 1], [1, 0, 0], [0, 0, 1]])
    with torch.no_grad():
        net.norm.bias.fill_(2.0)  # the constant is not zero behind the ReLU, nor even at edges
    assert counts(net) == {"stem": (1, 1), "first": (1, 1), "second": (1, 2), "fc": (2, 2)}


def test_constants_are_added_behind_maps_that_may_leave_their_bias_out():
    class Biasless(nn.Conv2d):
        def forward(self, x):
            return nn.functional.conv2d(x, self.weight)

    net = Net()
    net.first = Biasless(3, 3, 1, bias=False)
    with torch.no_grad():
        net.stem.weight[0] = 0  # what remains is its bias
    assert counts(net)["first"] == (2, 3)


def test_channels_that_are_added_go_only_together():
    net = Net(shortcut=True)
    # channel 0 is constant in both; channel 1 only in the branch; 2 in neither
    filters(net.first, [[0, 1, 0]] * 3)
    filters(net.second, [[0, 0, 0], [0, 0, 0], [1, 0, 0]])
    filters(net.side, [[0, 0, 0], [0, 0, 1], [0, 0, 1]])
    found = {"stem": (1, 2), "first": (2, 1), "second": (1, 2), "side": (2, 2), "fc": (2, 2)}
    assert counts(net) == found


def test_filters_of_single_channels_go_with_them():
    net = nn.Sequential(
        nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 3, 1, 1, groups=4), nn.Conv2d(4, 2, 1), nn.Flatten()
    )
    # nothing arrives at channel 0, which is not zero; 1 is filtered to a constant; 2 is not read
    with torch.no_grad():
        net[0].weight[0] = net[1].weight[1] = net[2].weight[:, 2] = 0
    assert counts(net) == {"0": (1, 1), "1": (1, 1), "2": (1, 2)}


def test_constants_are_those_that_were_read_whatever_becomes_of_them():
    class Changed(Net):
        def forward(self, x):
            x = self.stem(x)
            out = self.second(x)
            return self.fc(torch.mean(out + self.relu(x), (2, 3)))

    net = Changed()
    with torch.no_grad():
        net.stem.weight[0] = net.second.weight[0] = 0
        net.stem.bias[0] = -1
    assert counts(net) == {"stem": (1, 2), "second": (2, 2), "fc": (2, 2)}


def test_what_is_not_understood_keeps_all_channels():
    class Mixed(Net):
        def forward(self, x):
            return self.fc(torch.softmax(self.stem(x), 1).amax((2, 3)))

    net = Mixed()
    with torch.no_grad():
        net.stem.weight[0] = 0
    assert counts(net) == {"stem": (1, 3), "fc": (3, 2)}


def test_a_module_that_is_called_twice_keeps_all_channels():
    class Twice(Net):
        def forward(self, x):
            x = self.first(self.first(self.stem(x)))
            return self.fc(torch.mean(x, (2, 3)))

    net = Twice()
    filters(net.first, [[0, 0, 0], [1, 1, 0], [1, 1, 0]])
    assert counts(net) == {"stem": (1, 3), "fc": (3, 2)}


def test_a_layer_without_weights_keeps_a_channel():
    net = Net()
    filters(net.first, [[0, 0, 0]] * 3)
    assert counts(net) == {"stem": (1, 1), "first": (1, 1), "second": (1, 1), "fc": (1, 2)}


def test_a_network_that_looks_at_numbers_is_refused():
    class Looks(Net):
        def forward(self, x):
            return super().forward(x if x.sum() > 0 else -x)

    with pytest.raises(Exception, match="traced"):
        counts(Looks())
