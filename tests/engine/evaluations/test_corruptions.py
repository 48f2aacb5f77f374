"""Accuracy on corrupted images: counted by hand, beside the dense ticket, made or published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import fmean
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from engine import seeds
from engine.context import Context
from engine.corruptions import NAMES
from engine.errors import DataError, Inapplicable
from engine.evaluations import _corrupting, corruptions
from engine.images import Images
from engine.masks import Mask

Make = Callable[..., Context]
FEW = {"corruptions": ("gaussian_noise", "contrast", "jpeg_compression", "spatter")}


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 12 * 12, 4))


def pictures(channels: int = 3, count: int = 30) -> Images:
    shape = (count, channels, 12, 12)
    x = torch.randint(0, 256, shape, generator=seeds.rng(0, "x"), dtype=torch.uint8)
    y = torch.randint(0, 4, (count,), generator=seeds.rng(0, "y"))
    return Images(x, y, tuple(f"test/{i:05d}" for i in range(count)), ("a", "b", "c", "d"))


def wrong(net: nn.Module, x: Tensor, y: Tensor) -> float:
    return (net(x.float()).argmax(1) != y).double().mean().item()


def error(net: nn.Module, images: Images, name: str, severity: int) -> float:
    return wrong(net, _corrupting.corrupted(images.x, name, severity, images.ids), images.y)


def test_errors_are_counted_and_compared_with_those_of_the_dense_ticket(context: Make) -> None:
    images = pictures()
    dense, net = context(lambda: network(1), images), network()
    ticket = context(network, images, level=3)
    around = replace(ticket.around, kept=(0, 3), at=lambda level: dense.subject)
    settings = corruptions.Settings(**FEW, severities=(5, 1))
    found = corruptions.evaluate(settings, replace(ticket, around=around))
    ours, theirs = (
        {
            name: [error(one, images, name, severity) for severity in (1, 5)]
            for name in FEW["corruptions"]
        }
        for one in (net, network(1))
    )
    each = {name: 1 - fmean(errors) for name, errors in ours.items()}
    ratios = {name: sum(ours[name]) / sum(theirs[name]) for name in ours}
    main = ("gaussian_noise", "contrast", "jpeg_compression")

    def balanced(x: Tensor) -> float:  # wrong of each class, one by one
        parts = [images.y == label for label in range(4)]
        return 1 - fmean(wrong(net, x[part], images.y[part]) for part in parts)

    made = (
        _corrupting.corrupted(images.x, name, severity, images.ids)
        for name in FEW["corruptions"]
        for severity in (1, 5)
    )
    assert found.metrics == pytest.approx(
        {
            **each,
            "clean": 1 - wrong(net, images.x, images.y),
            "clean balanced": balanced(images.x),
            "mean balanced": fmean(map(balanced, made)),
            "mean": fmean(each.values()),
            "mean of noise": each["gaussian_noise"],
            "mean of digital": (each["contrast"] + each["jpeg_compression"]) / 2,
            "mean of extra": each["spatter"],
            "mCE": fmean(ratios[name] for name in main),
        }
    )
    document = found.files["corruptions.json"]
    assert document["errors"] == {"ticket": ours, "dense": theirs}
    assert document["relative to dense"] == pytest.approx(ratios)
    assert document["published"] is False and "this run is on" in document["made because"]


def test_all_nineteen_are_made_and_reported(context: Make) -> None:
    found = corruptions.evaluate(
        corruptions.Settings(severities=(3,)), context(network, pictures(count=4))
    )
    assert {*found.files["corruptions.json"]["errors"]["ticket"]} == {*NAMES}
    assert {*NAMES} < {*found.metrics} and len(found.metrics) <= 30
    assert found.metrics["mCE"] == 1  # the dense ticket itself


def test_without_a_dense_ticket_or_without_its_errors_there_is_no_relative_error(
    context: Make,
) -> None:
    images = pictures()
    known = network(1)(images.x.float()).argmax(1)
    images = replace(images, y=known)
    settings = corruptions.Settings(corruptions=("saturate", "brightness"), severities=(1,))
    alone = corruptions.evaluate(settings, context(network, images, level=3))
    assert "mCE" not in alone.metrics and "dense" not in alone.files["corruptions.json"]["errors"]
    ticket = context(network, images, level=3)
    half = Mask({"1.weight": torch.arange(432 * 4).view(4, 432) % 2 == 0})
    sparse = context(network, images, mask=half)  # as of a run that begins sparse
    around = replace(ticket.around, kept=(0, 3), at=lambda level: sparse.subject)
    for made in (sparse, replace(ticket, around=around)):
        found = corruptions.evaluate(settings, made)
        assert "mCE" not in found.metrics and [*found.files["corruptions.json"]["errors"]] == [
            "ticket"
        ]

    class Perfect(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1, 1))

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.one_hot(known, 4).float() * self.weight[0]

    dense = context(Perfect, images)
    around = replace(ticket.around, kept=(0, 3), at=lambda level: dense.subject)
    found = corruptions.evaluate(settings, replace(ticket, around=around))
    assert "mCE" not in found.metrics
    assert found.files["corruptions.json"]["relative to dense"] == {
        "saturate": None,
        "brightness": None,
    }


def on_cifar(ticket: Context, read: Callable[..., Images]) -> Context:
    """The same of a run on CIFAR-10, whose CIFAR-10-C is what `read` gives."""
    data = {"name": "cifar10", "root": "somewhere"}
    spec = type(ticket.subject.spec).model_validate(
        {**ticket.subject.spec.model_dump(mode="json"), "data": data}
    )
    around = replace(ticket.around, shifted=read)
    return replace(ticket, subject=replace(ticket.subject, spec=spec), around=around)


def test_published_images_are_taken_where_they_are(context: Make) -> None:
    images, asked = pictures(), []

    def read(name: str, root: str, corruption: str, severity: int) -> Images:
        asked.append((name, root, corruption, severity))
        return replace(images, x=255 - images.x)

    ticket = on_cifar(context(network, images), read)
    settings = corruptions.Settings(corruptions=("fog",), severities=(2,), images=10)
    found = corruptions.evaluate(settings, ticket)
    assert found.files["corruptions.json"]["published"] is True
    chosen = images.subset(corruptions._samples.positions(images, 10))
    assert found.metrics["fog"] == pytest.approx(1 - wrong(network(), 255 - chosen.x, chosen.y))
    assert ("cifar10_c", "somewhere", "fog", 2) in asked
    made = corruptions.evaluate(settings.model_copy(update={"source": "made"}), ticket)
    assert made.metrics["fog"] == pytest.approx(1 - error(network(), chosen, "fog", 2))


def test_other_labels_and_missing_files_are_not_taken(context: Make) -> None:
    images = pictures()

    def turned(*asked: Any) -> Images:
        return replace(images, y=(images.y + 1) % 4)

    def absent(*asked: Any) -> Images:
        raise DataError("there is no CIFAR-10-C")

    for read, why in ((turned, "labels"), (absent, "there is no")):
        ticket = on_cifar(context(network, images), read)
        settings = corruptions.Settings(corruptions=("contrast",), severities=(1,))
        made = corruptions.evaluate(settings, ticket).files["corruptions.json"]
        assert made["published"] is False and why in made["made because"]
        with pytest.raises(DataError, match=why):
            corruptions.evaluate(settings.model_copy(update={"source": "published"}), ticket)


def test_grey_images_have_no_colours_and_others_no_corruptions(context: Make) -> None:
    def grey() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(144, 4))

    settings = corruptions.Settings(severities=(1,))
    found = corruptions.evaluate(settings, context(grey, pictures(1, 3)))
    assert {*NAMES} - {*found.metrics} == {"saturate"}
    with pytest.raises(Inapplicable, match="grey"):
        corruptions.evaluate(
            settings.model_copy(update={"corruptions": ("saturate",)}),
            context(grey, pictures(1, 3)),
        )
    with pytest.raises(Inapplicable, match="13 channels"):
        corruptions.evaluate(settings, context(lambda: nn.Linear(1, 1), pictures(13, 3)))


def test_settings_name_corruptions_that_there_are() -> None:
    with pytest.raises(ValidationError, match="did you mean frost"):
        corruptions.Settings(corruptions=("frosty",))
    with pytest.raises(ValidationError, match="1 to 5"):
        corruptions.Settings(severities=(6,))
    assert corruptions.Settings(severities=(5, 1, 5)).severities == (1, 5)
