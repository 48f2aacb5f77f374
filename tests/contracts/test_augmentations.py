"""What every augmentation must do, whatever it is."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from engine import registry
from engine.images import Batch, Geometry, Images
from engine.seeds import rng

NAMES = registry.names("augmentations")
POLICIES = [name for name in NAMES if name != "none"]
EVERYTHING = {"blur": 0.5, "cutout": 4, "mixup": 1.0, "cutmix": 1.0}
BOTH = ("horizontal", "vertical")
GEOMETRIES = {
    "digits": Geometry(8, "pad", 1, (), (0.3,), (0.4,)),
    "cifar": Geometry(32, "pad", 4, ("horizontal",), (0.5,) * 3, (0.2,) * 3),
    "photos": Geometry(24, "resized", 0, BOTH, (0.5,) * 3, (0.2,) * 3),
}


def batch(geometry: Geometry, count: int = 64) -> Batch:
    """The same noise many times; photos are of unequal size, with zeros around them."""
    size = geometry.size + 12 * (geometry.crop == "resized")
    one = torch.randint(1, 256, (1, len(geometry.mean), size, size), generator=rng(0, "noise"))
    x = one.to(torch.uint8).repeat(count, 1, 1, 1)
    if geometry.crop == "pad":
        return Batch(x, None, geometry)
    boxes = torch.tensor([[size, size - 9], [size - 9, size]]).repeat(count // 2, 1)
    x[0::2, :, :, size - 9 :] = 0
    x[1::2, :, size - 9 :] = 0
    return Batch(x, boxes, geometry)


def augment(name: str, given: Batch, seed: int = 0, **settings: Any) -> Batch:
    module = registry.load("augmentations", name)
    return module.augment(module.Settings(**settings), given, rng(seed, "augmentation"))


@pytest.fixture(params=GEOMETRIES)
def given(request: pytest.FixtureRequest) -> Batch:
    return batch(GEOMETRIES[request.param])


@pytest.mark.parametrize("name", NAMES)
def test_the_network_gets_squares_of_its_size(name: str, given: Batch) -> None:
    made = augment(name, given)
    size = given.geometry.size
    assert made.x.shape == (len(given.x), given.x.shape[1], size, size)
    assert made.x.dtype in (torch.uint8, torch.float32)
    assert made.x.min() >= 0 and made.x.max() <= 255
    assert made.boxes is None
    assert made.geometry == given.geometry


@pytest.mark.parametrize("name", NAMES)
def test_the_same_stream_draws_the_same_and_leaves_the_images_alone(
    name: str, given: Batch
) -> None:
    before = given.x.clone()
    assert torch.equal(augment(name, given).x, augment(name, given).x)
    assert torch.equal(given.x, before)


@pytest.mark.parametrize("name", POLICIES)
def test_what_comes_last_is_drawn_alike_too_and_leaves_the_images_alone(
    name: str, given: Batch
) -> None:
    before = given.x.clone()
    made, again = (augment(name, given, **EVERYTHING) for _ in range(2))
    assert made.mix is not None and again.mix is not None
    assert torch.equal(made.x, again.x) and torch.equal(given.x, before)
    assert torch.equal(made.mix.partner, again.mix.partner)
    assert torch.equal(made.mix.share, again.mix.share)
    assert made.x.shape[2:] == (given.geometry.size, given.geometry.size)
    assert made.x.min() >= 0 and made.x.max() <= 255
    assert not torch.equal(made.x, augment(name, given, seed=1, **EVERYTHING).x)


@pytest.mark.parametrize("name", POLICIES)
def test_what_comes_last_does_not_move_what_was_drawn_before(name: str, given: Batch) -> None:
    plain, cut = augment(name, given), augment(name, given, cutout=4)
    holes = (plain.x != cut.x).any(1).flatten(1).sum(1)
    assert holes.max() <= 16 and holes.double().mean() > 2


@pytest.mark.parametrize("name", POLICIES)
def test_each_image_gets_a_draw_of_its_own(name: str, given: Batch) -> None:
    made = augment(name, given)
    different = {bytes(image.flatten().tolist()) for image in made.x.to(torch.uint8)}
    assert len(different) > 5
    assert not torch.equal(augment(name, given, seed=1).x, made.x)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_does_not_depend_on_its_neighbours(name: str) -> None:
    given = batch(GEOMETRIES["photos"])
    other = given.x.clone()
    other[1:] = 255 - other[1:]
    one, two = augment(name, given), augment(name, Batch(other, given.boxes, given.geometry))
    assert torch.equal(one.x[0], two.x[0])


@pytest.mark.parametrize("name", NAMES)
def test_settings_survive_a_round_trip(name: str) -> None:
    settings = registry.load("augmentations", name).Settings()
    dumped = settings.model_dump(mode="json")
    assert dumped.pop("name") == name
    assert type(settings).model_validate(dumped) == settings


def test_settings_need_no_torch() -> None:
    code = (
        "import sys; from engine import registry\n"
        f"for name in {NAMES!r}: registry.load('augmentations', name).Settings()\n"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_batch_of_images_can_be_augmented() -> None:
    given = batch(GEOMETRIES["photos"], 4)
    some = Images(given.x, torch.zeros(4), tuple("abcd"), ("k",), given.boxes)
    made = augment("basic", some.batch(torch.tensor([1, 2]), given.geometry))
    assert made.x.shape == (2, 3, 24, 24)
