"""FGSM and PGD: by hand on a linear network, within their bounds, whatever the batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine import seeds
from engine.context import Context
from engine.evaluations import _samples, fgsm, pgd
from engine.images import Geometry, Images, normalise

Make = Callable[..., Context]
EPSILONS = (0.1, 2.55, 8.0)


def split(x: Tensor, y: Tensor, classes: int) -> Images:
    ids = tuple(f"test/{index}" for index in range(len(x)))
    return Images(x, y, ids, tuple(map(str, range(classes))))


class Difference(nn.Module):
    """Two logits of images of two pixels: the first pixel for class 0, the second for class 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 2))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) * self.weight[0]


def pair(*values: tuple[int, int]) -> Tensor:
    """Images uint8 [N, 1, 1, 2]."""
    return torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1, 2)


@pytest.mark.parametrize("attack", [fgsm, pgd])
def test_a_linear_network_is_turned_where_its_margin_is_below_two_epsilons(
    context: Make, attack: Any
) -> None:
    # margins 4, 17, 15, -3 (wrong from the start), and 20 of which 4 are out of reach at the edges
    x = pair((104, 100), (100, 117), (115, 100), (97, 100), (20, 0))
    ticket = context(Difference, split(x, torch.tensor([0, 1, 0, 0, 0]), 2))
    found = attack.evaluate(attack.Settings(epsilon=(8.0, 1.0, 2.5)), ticket)
    assert found.metrics == {
        "clean accuracy": 0.8,
        "accuracy at 1": 0.8,
        "accuracy at 2.5": 0.6,
        "accuracy at 8": 0.4,
        "clean balanced": (3 / 4 + 1) / 2,
        "balanced at 1": (3 / 4 + 1) / 2,
        "balanced at 2.5": (2 / 4 + 1) / 2,
        "balanced at 8": (1 / 4 + 1) / 2,
    }
    rows = found.files[f"{attack.__name__.rpartition('.')[2]}.json"]["results"]
    assert [(row["correct"], row["turned"]) for row in rows] == [(4, 0), (4, 0), (3, 1), (2, 2)]


def network() -> nn.Module:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4)
    norm.running_mean.fill_(0.3)
    first = nn.Conv2d(3, 4, 3)
    with torch.no_grad():
        first.weight /= 255  # no gradient vanishes
    return nn.Sequential(first, norm, nn.Tanh(), nn.Flatten(), nn.Linear(64, 3), nn.Dropout(0.5))


def pictures(count: int) -> tuple[Tensor, Tensor]:
    x = torch.randint(0, 256, (count, 3, 6, 6), generator=seeds.rng(0, "x"), dtype=torch.uint8)
    x[0], x[1] = 0, 255
    return x, torch.randint(0, 3, (count,), generator=seeds.rng(0, "y"))


def seen(ticket: Context, batch_size: int, attack: Any, **settings: Any) -> tuple[Tensor, Any]:
    """All images that were scored, batch after batch, and the result."""
    shown: list[Tensor] = []

    def says(net: nn.Module) -> Callable[[Tensor], Tensor]:
        def batch(x: Tensor) -> Tensor:
            if not torch.is_grad_enabled():
                shown.append(x.float())
            return ticket.around.says(net)(x)

        return batch

    train = ticket.subject.spec.train.model_copy(update={"batch_size": batch_size})
    spec = ticket.subject.spec.model_copy(update={"train": train})
    spied = replace(
        ticket,
        subject=replace(ticket.subject, spec=spec),
        around=replace(ticket.around, says=says),
    )
    found = attack.evaluate(attack.Settings(epsilon=EPSILONS, **settings), spied)
    in_order = [torch.cat(shown[kind :: 1 + len(EPSILONS)]) for kind in range(1 + len(EPSILONS))]
    return torch.stack(in_order), found


@pytest.mark.parametrize(("attack", "settings"), [(fgsm, {}), (pgd, {}), (pgd, {"steps": 1})])
def test_no_pixel_leaves_its_bounds_and_batches_make_no_difference(
    context: Make, attack: Any, settings: dict[str, Any]
) -> None:
    x, y = pictures(11)
    ticket = context(network, split(x, y, 3))
    clean, *shown = seen(ticket, 4, attack, **settings)[0]
    assert torch.equal(clean, x.float())
    for epsilon, images in zip(EPSILONS, shown, strict=True):
        far = (images.double() - x.double()).abs()
        assert far.max() <= epsilon and far.max() > 0.999 * epsilon
        assert images.min() >= 0 and images.max() <= 255
    whole, found = seen(ticket, 100, attack, **settings)
    torch.testing.assert_close(whole[1:], torch.stack(shown), rtol=0, atol=1e-3)
    assert found == attack.evaluate(attack.Settings(epsilon=EPSILONS, **settings), ticket)


def test_one_step_goes_along_the_gradients_sign(context: Make) -> None:
    x, y = pictures(7)
    ticket = context(network, split(x, y, 3))
    free = x.double().requires_grad_()
    net = network().eval().double()
    functional.cross_entropy(net(free), y).backward()
    expected = (x + 8.0 * free.grad.sign()).clamp(0, 255)
    assert torch.equal(seen(ticket, 3, fgsm)[0][3].double(), expected)


@pytest.mark.parametrize("attack", [fgsm, pgd])
def test_the_network_stays_as_it_is(context: Make, attack: Any) -> None:
    x, y = pictures(5)
    made = network().eval()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    ticket = context(network, split(x, y, 3))
    ticket = replace(ticket, subject=replace(ticket.subject, net=lambda: made))
    attack.evaluate(attack.Settings(), ticket)
    assert not made.training and all(p.grad is None for p in made.parameters())
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


class Constant(nn.Module):
    """Equal logits for every image, and a gradient of zero."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 2))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :2] * self.weight[0]


def test_without_a_gradient_nothing_moves(context: Make) -> None:
    ticket = context(Constant, split(pair((9, 3), (4, 5)), torch.tensor([0, 1]), 2))
    found = fgsm.evaluate(fgsm.Settings(), ticket)
    assert {*found.metrics.values()} == {0.5}


def test_many_steps_are_no_weaker_than_one_on_a_trained_network(context: Make) -> None:
    """A circle in the plane, which a hidden layer learns: the way out of it is no straight line."""
    x = torch.randint(0, 256, (300, 1, 1, 2), generator=seeds.rng(0, "x"))
    seen = (x.flatten(1).float() - 127.5) / 127.5
    y = (seen.square().sum(1) > 0.6).long()
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(net.parameters(), 0.05)
    for _ in range(100):
        optimizer.zero_grad()
        functional.cross_entropy(net(seen), y).backward()
        optimizer.step()
    with torch.no_grad():  # the network of a context sees 0 to 255
        net[1].bias -= net[1].weight.sum(1)
        net[1].weight /= 127.5
    ticket = context(lambda: net, split(x.to(torch.uint8), y, 2))
    one = fgsm.evaluate(fgsm.Settings(epsilon=(8.0,)), ticket).metrics
    many = pgd.evaluate(pgd.Settings(epsilon=(8.0,)), ticket).metrics
    assert one["clean accuracy"] == many["clean accuracy"] > 0.9
    assert many["accuracy at 8"] <= one["accuracy at 8"] < one["clean accuracy"] - 0.05


def test_gradients_go_through_a_normalisation_that_was_first_needed_without_any() -> None:
    geometry = Geometry(2, "pad", 0, (), (0.123,), (0.456,))  # nobody else's, so in no cache
    x = torch.ones(1, 1, 2, 2)
    with torch.inference_mode():
        normalise(x, geometry)
    free = x.clone().requires_grad_()
    normalise(free, geometry).sum().backward()
    assert free.grad is not None
    torch.testing.assert_close(free.grad, torch.full_like(x, 1 / (255 * 0.456)))


def test_fewer_images_are_of_all_classes_and_among_those_of_more() -> None:
    labels = torch.tensor([0] * 50 + [1] * 50 + [2] * 4)
    images = split(torch.zeros(104, 1, 1, 1, dtype=torch.uint8), labels, 3)
    few, more = _samples.positions(images, 9), _samples.positions(images, 40)
    assert labels[few].bincount().tolist() == [3, 3, 3]
    assert labels[more].bincount().tolist() == [18, 18, 4]
    assert {*few.tolist()} < {*more.tolist()} and more.tolist() == sorted(more.tolist())
    turned = images.subset(torch.arange(103, -1, -1))
    again = turned.subset(_samples.positions(turned, 9))
    assert {*again.ids} == {*images.subset(few).ids}
    assert len(_samples.positions(images, None)) == len(_samples.positions(images, 500)) == 104
