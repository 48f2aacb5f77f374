"""The network of a spec: its head, and where its random numbers come from."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from engine import networks
from engine.auxiliary import SplitNorm
from engine.losses._angles import TVMF, Cosine
from engine.spec import RunSpec

Specs = Callable[..., RunSpec]


def built(spec: RunSpec, number: int = 0) -> nn.Module:
    return networks.build(spec, classes=7, channels=1, size=8, number=number)


@pytest.mark.parametrize(
    ("loss", "kind"),
    [("cross_entropy", nn.Linear), ("cosine", Cosine), ({"name": "tvmf", "kappa": 3.0}, TVMF)],
)
def test_the_loss_brings_its_head(loss: object, kind: type, tiny: Specs) -> None:
    net = built(tiny(loss=loss))
    name, head = networks.head_of(net)
    assert name == "fc" and type(head) is kind
    assert (head.in_features, head.out_features) == (16, 7)
    assert net(torch.randn(2, 1, 8, 8)).shape == (2, 7)


def test_a_head_leaves_all_other_weights_as_they_are(tiny: Specs) -> None:
    plain, other = built(tiny()).state_dict(), built(tiny(loss="cosine")).state_dict()
    same = [name for name in plain if name in other and torch.equal(plain[name], other[name])]
    assert set(plain) - set(same) == {"fc.weight", "fc.bias"}
    assert set(other) - set(plain) == {"fc.scale"}


def test_the_number_alone_decides_the_weights(tiny: Specs) -> None:
    spec = tiny(loss="tvmf")
    torch.manual_seed(1)
    one = built(spec, 5).state_dict()
    torch.manual_seed(2)
    same, other = built(spec, 5).state_dict(), built(spec, 6).state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["fc.weight"], other["fc.weight"])


def test_adversarial_training_splits_every_normalisation(tiny: Specs) -> None:
    net = built(tiny(train={"epochs": 1, "advprop": {"steps": 1}}))
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    split = [m for m in norms if isinstance(m, SplitNorm)]
    assert split and len(norms) == 2 * len(split)
    assert not any(isinstance(m, SplitNorm) for m in built(tiny()).modules())
