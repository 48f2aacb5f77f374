"""Test images that share a source with training images: found, and left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine import seeds
from engine.context import Context
from engine.errors import DataError, Inapplicable
from engine.evaluations import _alike, shared_sources
from engine.images import Geometry, Images

Make = Callable[..., Context]
GEOMETRY = Geometry(32, "pad", 0, (), (0.0,) * 3, (1.0,) * 3)


def scenes(count: int, stream: str) -> Tensor:
    """Smooth images, uint8 [N, 3, 32, 32]."""
    coarse = torch.rand(count, 3, 6, 6, generator=seeds.rng(0, stream)) * 200 + 20
    return functional.interpolate(coarse, 32, mode="bicubic").clamp(0, 255).to(torch.uint8)


def split(x: Tensor, name: str, y: Tensor | None = None) -> Images:
    labels = torch.zeros(len(x), dtype=torch.int64) if y is None else y
    return Images(x, labels, tuple(f"{name}/{i}" for i in range(len(x))), ("a", "b"))


def related() -> tuple[Images, Images]:
    """Six training images; test images: a copy, a brighter one, a mirrored one, and two others."""
    train = scenes(6, "train")
    copy, pale, turned = train[4], (train[1].float() * 0.7 + 60).to(torch.uint8), train[2].flip(2)
    flat = torch.full_like(copy, 90)
    test = torch.stack([copy, pale, turned, scenes(1, "other")[0], flat])
    return split(test, "test", torch.tensor([0, 1, 0, 0, 1])), split(train, "train")


class First(nn.Module):
    """Says class 0 of every image."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight[:1, :] * torch.tensor([[1.0, 0.0]]).expand(len(x), 2)


def test_copies_are_found_however_bright_and_mirrored(context: Make) -> None:
    test, train = related()
    settings = shared_sources.Settings(alike="any")
    found = shared_sources.evaluate(settings, context(First, test, train=train))
    alike = found.files["shared_sources.json"]["alike"]
    assert [(one["test"], one["train"]) for one in alike] == [
        ("test/0", "train/4"),
        ("test/1", "train/1"),
        ("test/2", "train/2"),
    ]
    assert [one["right"] for one in alike] == [True, False, True]
    assert found.metrics == pytest.approx(
        {
            "accuracy": 3 / 5,
            "balanced": 1 / 2,
            "alike - share": 3 / 5,
            "alike - accuracy without": 1 / 2,
            "alike - balanced without": 1 / 2,
            "alike - accuracy of these": 2 / 3,
            "alike - balanced of these": 1 / 2,
        }
    )


def test_with_no_copies_or_nothing_else_there_is_no_accuracy_of_them(context: Make) -> None:
    test, train = related()
    settings, perfect = shared_sources.Settings(alike="any"), {"accuracy": 1.0, "balanced": 1.0}
    none = shared_sources.evaluate(settings, context(First, test.subset([3]), train=train)).metrics
    without = {"alike - accuracy without": 1.0, "alike - balanced without": 1.0}
    assert none == {**perfect, "alike - share": 0.0, **without}
    all_ = shared_sources.evaluate(settings, context(First, test.subset([0]), train=train)).metrics
    these = {"alike - accuracy of these": 1.0, "alike - balanced of these": 1.0}
    assert all_ == {**perfect, "alike - share": 1.0, **these}


def test_likeness_is_the_correlation_of_small_images(monkeypatch: pytest.MonkeyPatch) -> None:
    test, train = related()
    found = _alike.nearest(test, train, GEOMETRY, quiet)
    monkeypatch.setattr(_alike, "AT_ONCE", 2)
    again = _alike.nearest(test, train, GEOMETRY, quiet)
    torch.testing.assert_close(again.likeness, found.likeness)
    assert torch.equal(again.train[:3], found.train[:3])

    def small(x: Tensor) -> np.ndarray:
        return x.double().reshape(3, 16, 2, 16, 2).mean((2, 4)).flatten().numpy()

    every = [
        max(np.corrcoef(small(x), small(known))[0, 1] for x in (test.x[3], test.x[3].flip(2)))
        for known in train.x
    ]
    assert float(found.likeness[3]) == pytest.approx(max(every), abs=1e-4)
    assert int(found.train[3]) == int(np.argmax(every)) and found.likeness[4] == 0


def test_stored_images_are_compared_as_a_test_would_show_them() -> None:
    whole = scenes(3, "wide")
    stored = torch.zeros(3, 3, 40, 40, dtype=torch.uint8)
    stored[:, :, 2:34, 3:35] = whole  # within 36 x 38, of which the centre is shown
    boxes = torch.tensor([[36, 38]] * 3)
    train = replace(split(stored, "train"), boxes=boxes)
    shown = Geometry(32, "resized", 0, (), (0.0,) * 3, (1.0,) * 3)  # 32 is 7/8 of 36, rounded
    found = _alike.nearest(split(whole, "test"), train, shown, quiet)
    assert found.train.tolist() == [0, 1, 2] and float(found.likeness.min()) > 0.9999


def quiet() -> None:
    """Nobody asks it to stop."""


def test_only_on_cifar_do_images_that_look_alike_share_a_source_unless_told(context: Make) -> None:
    test, train = related()
    ticket, settings = context(First, test, train=train), shared_sources.Settings()
    found = shared_sources.evaluate(settings, of(ticket, "cifar100", Path("data")))
    assert found.metrics["alike - share"] == 3 / 5
    with pytest.raises(Inapplicable, match="which images of eurosat share a source; set sources"):
        shared_sources.evaluate(settings, of(ticket, "eurosat", Path("data")))


def of(ticket: Context, name: str, root: Path) -> Context:
    """The same of a run on another data set."""
    spec = type(ticket.subject.spec).model_validate(
        {**ticket.subject.spec.model_dump(mode="json"), "data": {"name": name, "root": str(root)}}
    )
    return replace(ticket, subject=replace(ticket.subject, spec=spec))


def test_images_of_one_lesion_are_named(context: Make, tmp_path: Path) -> None:
    (tmp_path / "isic2018").mkdir()
    table = "lesion_id,image_id,dx\nL1,3,nv\nL1,7,nv\nL1,5,nv\nL2,0,nv\nL3,1,nv\nL2,4,nv\n"
    (tmp_path / "isic2018" / "HAM10000_metadata.csv").write_text(table)
    test, train = split(scenes(2, "a"), "test"), split(scenes(6, "b").flip(0)[:4], "train")
    test = replace(test, ids=("imgs/3", "imgs/9"))
    train = replace(train, ids=("imgs/0", "imgs/1", "imgs/5", "imgs/7"))
    ticket = context(First, test, train=train)
    found = shared_sources.evaluate(shared_sources.Settings(), of(ticket, "isic2018", tmp_path))
    assert "alike" not in found.files["shared_sources.json"]
    assert found.files["shared_sources.json"]["same source"] == [
        {"test": "imgs/3", "train": "imgs/5", "source": "L1", "right": True}
    ]
    assert found.metrics["same source - share"] == 0.5
    with pytest.raises(Inapplicable, match="of isic2018 share a source"):
        shared_sources.evaluate(shared_sources.Settings(), of(ticket, "isic2018", Path("none")))


def test_a_file_that_says_nothing_of_sources_is_refused(context: Make, tmp_path: Path) -> None:
    test, train = related()
    file = tmp_path / "some.csv"
    file.write_text("a,b\n1,2\n")
    ticket = context(First, test, train=train)
    with pytest.raises(DataError, match="no columns image_id"):
        shared_sources.evaluate(shared_sources.Settings(sources=str(file)), ticket)
    with pytest.raises(DataError, match="cannot be read"):
        shared_sources.evaluate(shared_sources.Settings(sources=str(tmp_path / "none")), ticket)
