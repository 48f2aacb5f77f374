"""Adversarial images: by hand, and within their bounds; the normalisations that are theirs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from engine import auxiliary
from engine.adversarial import attacked
from engine.images import Geometry, normalise
from engine.seeds import rng
from engine.trainspec import AdvProp


def ramp(x: Tensor) -> Tensor:
    """Grows with the left half of each image and falls with the right half."""
    half = x.shape[3] // 2
    return x[..., :half].sum() - x[..., half:].sum()


def pixels() -> Tensor:
    return torch.randint(0, 256, (6, 3, 4, 8), generator=rng(0, "x")).to(torch.uint8)


@pytest.mark.parametrize("steps", [1, 3, 10])
def test_each_step_moves_every_pixel_uphill_up_to_the_bounds(steps: int) -> None:
    settings = AdvProp(steps=steps, epsilon=8.0, step=2.0, start=0.0)
    x = pixels()
    found = attacked(x, ramp, settings, rng(0, "attack"))
    moved = min(2.0 * steps, 8.0)
    expected = x.float()
    expected[..., :4] += moved
    expected[..., 4:] -= moved
    assert torch.equal(found, expected.clamp(0, 255))
    assert not found.requires_grad


def test_the_share_that_begins_elsewhere_lies_within_epsilon() -> None:
    x = torch.full((400, 1, 2, 2), 128, dtype=torch.uint8)
    settings = AdvProp(steps=1, epsilon=8.0, step=1e-6, start=0.8)
    found = attacked(x, ramp, settings, rng(0, "attack"))
    far = (found - x.float()).abs()
    assert far.max() <= 8.0
    assert (found - x.float()).min() < -7.5 and (found - x.float()).max() > 7.5  # either way
    elsewhere = (far > 1e-3).flatten(1).any(1).float().mean()
    assert float(elsewhere) == pytest.approx(0.8, abs=0.06)
    again = attacked(x, ramp, settings, rng(0, "attack"))
    assert torch.equal(found, again)


def test_bounds_are_grey_levels_whatever_the_normalisation() -> None:
    geometry = Geometry(8, "pad", 0, (), (0.9, 0.1, 0.5), (0.01, 3.0, 0.2))
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 2 * 6, 2))
    x = pixels()
    settings = AdvProp(steps=2, epsilon=4.0, step=3.0, start=0.5)
    found = attacked(x, lambda x: net(normalise(x, geometry)).square().sum(), settings, rng(0, "a"))
    assert (found - x.float()).abs().max() <= 4.0
    assert found.min() >= 0 and found.max() <= 255
    assert all(p.grad is None for p in net.parameters())


def test_a_split_norm_is_two_normalisations() -> None:
    norm = nn.BatchNorm2d(3)
    nn.init.uniform_(norm.weight)
    net = nn.Sequential(nn.Conv2d(3, 3, 1), norm)
    names = set(net.state_dict())
    auxiliary.split(net)
    assert names < set(net.state_dict())
    clean, hard = torch.randn(8, 3, 4, 4), 5 + torch.randn(8, 3, 4, 4)
    split = net[1]
    one, two = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    one.load_state_dict(norm.state_dict()), two.load_state_dict(norm.state_dict())
    torch.testing.assert_close(split(clean), one(clean))
    with auxiliary.adversarial(net):
        torch.testing.assert_close(split(hard), two(hard))
    torch.testing.assert_close(split.running_mean, one.running_mean)
    torch.testing.assert_close(split.auxiliary.running_mean, two.running_mean)
    torch.testing.assert_close(split.eval()(clean), one.eval()(clean))
