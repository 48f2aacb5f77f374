"""What every augmentation must do, whatever it is."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from engine import registry
from engine.images import Batch, Geometry, Images
from engine.seeds import rng

NAMES = registry.names("augmentations")
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


def augment(name: str, given: Batch, seed: int = 0) -> Batch:
    module = registry.load("augmentations", name)
    return module.augment(module.Settings(), given, rng(seed, "augmentation"))


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


@pytest.mark.parametrize("name", [n for n in NAMES if n != "none"])
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
def test_settings_survive_a_round_trip_and_need_no_torch(name: str) -> None:
    settings = registry.load("augmentations", name).Settings()
    dumped = settings.model_dump(mode="json")
    assert dumped.pop("name") == name
    assert type(settings).model_validate(dumped) == settings
    code = (
        "import sys; from engine import registry;"
        f"registry.load('augmentations', {name!r}).Settings();"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_batch_of_images_can_be_augmented() -> None:
    given = batch(GEOMETRIES["photos"], 4)
    some = Images(given.x, torch.zeros(4), tuple("abcd"), ("k",), given.boxes)
    made = augment("basic", some.batch(torch.tensor([1, 2]), given.geometry))
    assert made.x.shape == (2, 3, 24, 24)
