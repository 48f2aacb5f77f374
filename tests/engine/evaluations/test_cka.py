"""CKA: against the sum over all quadruples of images, and what it must not depend on."""

from dataclasses import replace
from itertools import permutations

import pytest
import torch
from torch import nn

from engine.errors import DataError, SpecError
from engine.evaluations import cka
from engine.images import Images
from engine.masks import Mask
from engine.sources import Source

RNG = torch.Generator().manual_seed(0)


def images(count, channels=2, size=3):
    x = torch.randint(0, 255, (count, channels, size, size), generator=RNG, dtype=torch.uint8)
    y = torch.arange(count) % 2
    return Images(x, y, tuple(f"i{at}" for at in range(count)), ("a", "b"))


def features(count, width):
    return torch.randn(count, width, generator=RNG, dtype=torch.float64)


def between(one, other):
    """CKA of two layers' features in one batch."""
    grams = [cka.products(found)[None] for found in (one, other)]
    diagonal = [cka.hsic(gram, gram).diagonal() for gram in grams]
    return cka.aligned(cka.hsic(*grams), *diagonal).item()


def net():
    """A convolution whose output the rectifier takes the place of, and a classifier."""
    torch.manual_seed(1)
    layers = nn.Conv2d(2, 3, 2), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(12, 2)
    return nn.Sequential(*layers).double()


def other_net():
    torch.manual_seed(2)
    return nn.Sequential(nn.Conv2d(2, 5, 1), nn.Flatten(), nn.Linear(45, 4), nn.Linear(4, 2))


@pytest.fixture
def made(context):
    """Makes the context of level 2, whose run has kept level 0: another network."""

    def make(test, level=2, other=other_net, away=None, **around):
        mine, first = (context(one, test, level=at) for one, at in ((net, level), (other, 0)))
        found = {"kept": (0, 2), "at": {0: first.subject}.__getitem__, **around}
        found["other"] = lambda source: away
        found["says"] = lambda network: lambda x: network(x.to(next(network.parameters()).dtype))
        return replace(mine, around=replace(mine.around, **found))

    return make


def test_hsic_is_the_mean_over_all_four_different_images():
    one, other = features(6, 3), features(6, 4)
    k, m = (found @ found.T for found in (one, other))
    quadruples = list(permutations(range(6), 4))
    total = sum(k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in quadruples)
    found = cka.hsic(cka.products(one)[None], cka.products(other)[None])
    assert found.item() == pytest.approx(total.item() / len(quadruples), rel=1e-12)


def test_features_are_like_themselves_turned_moved_and_scaled():
    one, other = features(20, 6), features(20, 5)
    turn, _ = torch.linalg.qr(features(6, 6))
    assert between(one, one) == pytest.approx(1, abs=1e-12)
    assert between(one, 3 * one @ turn + 100) == pytest.approx(1, abs=1e-12)
    assert between(one @ turn, -2 * other) == pytest.approx(between(one, other), abs=1e-12)
    assert abs(between(one, other)) < 0.5


def test_wide_features_are_taken_in_parts(monkeypatch):
    wide = features(8, 50)
    whole = cka.products(wide)
    monkeypatch.setattr(cka, "COLUMNS", 7)
    assert torch.allclose(cka.products(wide), whole, rtol=1e-12)


def test_layers_within_a_network_and_across(made):
    test = images(12)
    found = cka.evaluate(cka.Settings(), made(test))
    document = found.files["cka.json"]
    assert document["layers"] == ["0", "3"] and document["images"] == 12
    assert document["other"]["name"] == "level 0" and document["other"]["layers"] == ["0", "2", "3"]
    x = test.x.double()
    with torch.no_grad():
        first = net()[0](x)
        mine = [first, net()(x)]
        theirs = [other_net()[:at](x.float()).double() for at in (1, 3, 4)]
    expected = [[between(one, other) for other in theirs] for one in mine]
    across = torch.tensor(document["other"]["across"], dtype=torch.float64)
    assert torch.allclose(across, torch.tensor(expected, dtype=torch.float64), atol=1e-5)
    within = between(*mine)
    assert document["within"][0] == pytest.approx([1, within], abs=1e-6)
    same = (expected[0][0] + expected[1][2]) / 2  # layers 0 and 3 of both
    assert found.metrics == pytest.approx({"within": within, "diagonal": same}, abs=1e-5)


def test_batches_are_averaged_whatever_their_size(made):
    test = images(40)
    found = [
        cka.evaluate(cka.Settings(batch=batch, other="before"), made(test)).metrics
        for batch in (8, 40)
    ]
    assert found[0] != found[1]
    assert found[0] == pytest.approx(found[1], abs=0.1)
    alike = cka.evaluate(cka.Settings(batch=8), made(test, other=net))
    assert alike.metrics["diagonal"] == pytest.approx(1, abs=1e-9)


def test_no_batch_is_too_small_and_the_order_of_images_makes_no_difference(made):
    test = images(17)  # in eights one would be left
    turned = test.subset(torch.arange(17).flip(0).tolist())
    found, same = (
        cka.evaluate(cka.Settings(batch=8), made(one)).files["cka.json"] for one in (test, turned)
    )
    assert found == same and found["within"][0][0] == 1


def test_dense_that_is_not_kept_is_left_out(made):
    found = cka.evaluate(cka.Settings(), made(images(8), kept=(2,)))
    assert [*found.metrics] == ["within"] and "other" not in found.files["cka.json"]
    found = cka.evaluate(cka.Settings(layers="^3"), made(images(8), level=0))
    assert found.metrics == {} and found.files["cka.json"]["within"] == [[1.0]]


def test_a_layer_that_says_nothing_is_like_none(made):
    def dead():
        found = net()
        nn.init.zeros_(found[0].weight)
        return found

    found = cka.evaluate(cka.Settings(), made(images(8), other=dead))
    across = found.files["cka.json"]["other"]["across"]
    assert across == [[None, None], [None, None]] and [*found.metrics] == ["within"]


def test_a_run_that_begins_sparse_has_no_dense_network(made, context):
    half = Mask({"0.weight": torch.arange(10).view(5, 2, 1, 1) % 2 == 0})
    sparse = context(other_net, images(8), mask=half).subject
    found = cka.evaluate(cka.Settings(), made(images(8), at={0: sparse}.__getitem__))
    assert [*found.metrics] == ["within"]


def test_layers_that_no_test_goes_through_are_left_out(made):
    class Trained(nn.Sequential):
        """As of a loss whose projection is for training alone."""

        def forward(self, x):
            return x if self is projection else super().forward(x)

    projection, test = Trained(nn.Linear(2, 4), nn.Linear(4, 2)), images(8)
    with_head = made(test, other=lambda: nn.Sequential(*other_net(), projection))
    found = cka.evaluate(cka.Settings(), with_head).files["cka.json"]
    assert found == cka.evaluate(cka.Settings(), made(test)).files["cka.json"]


def test_what_cannot_be_compared_is_refused(made):
    with pytest.raises(DataError, match="4 test images or more, not 3"):
        cka.evaluate(cka.Settings(), made(images(3)))
    with pytest.raises(SpecError, match="'fc' matches no convolution"):
        cka.evaluate(cka.Settings(layers="fc"), made(images(8)))
    with pytest.raises(ValueError, match="no regular expression"):
        cka.Settings(layers="(")

    def gray():
        return nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten())

    gone = made(images(8)).subject
    settings = cka.Settings(other=Source("that", 1))
    with pytest.raises(SpecError, match="that:1 takes no images of 2 channels and 3 pixels"):
        cka.evaluate(settings, made(images(8), away=replace(gone, net=gray)))
