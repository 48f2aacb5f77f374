"""The batched operators against PIL and torchvision, image by image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from pydantic import ValidationError

from engine.augmentations import _crops, basic, none
from engine.images import Batch, Geometry
from engine.seeds import rng

BOTH = ("horizontal", "vertical")
CIFAR = Geometry(32, "pad", 4, ("horizontal",), (0.5,) * 3, (0.2,) * 3)
PHOTOS = Geometry(24, "resized", 0, BOTH, (0.5,) * 3, (0.2,) * 3)


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, generator=rng(0, "noise")).to(torch.uint8)


def smooth(count: int, height: int, width: int) -> torch.Tensor:
    """Waves of a few pixels: like photographs, and sensitive to a shift of half a pixel."""
    rows, columns = torch.arange(height).view(1, 1, -1, 1), torch.arange(width).view(1, 1, 1, -1)
    phase = torch.arange(count * 3).view(count, 3, 1, 1)
    waves = torch.sin(rows / 3 + phase) + torch.cos(columns / 4 - phase)
    return ((waves + 2) / 4 * 255).round().to(torch.uint8)


def pil(image: torch.Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)


def flipped(image: Image.Image, cuts: _crops.Cuts, i: int) -> Image.Image:
    image = ImageOps.mirror(image) if cuts.mirror[i] else image
    return ImageOps.flip(image) if cuts.upend[i] else image


def box(cuts: _crops.Cuts, i: int) -> tuple[int, int, int, int]:
    top, left = int(cuts.top[i]), int(cuts.left[i])
    return left, top, left + int(cuts.width[i]), top + int(cuts.height[i])


def test_shifts_equal_padding_cropping_and_flipping_in_pil() -> None:
    x = noise(50, 3, 32, 32)
    cuts = _crops.shifts(Batch(x, None, CIFAR), 4, BOTH, rng(0, "shifts"))
    made = _crops.shifted(x, cuts, 32)
    for i, image in enumerate(x):
        padded = ImageOps.expand(pil(image), border=4, fill=0)
        left, top, right, bottom = box(cuts, i)
        expected = flipped(padded.crop((left + 4, top + 4, right + 4, bottom + 4)), cuts, i)
        assert torch.equal(made[i], tensor(expected))


def test_shifts_reach_every_place_and_no_further() -> None:
    batch = Batch(noise(4000, 1, 8, 8), None, Geometry(8, "pad", 1, BOTH, (0.5,), (0.5,)))
    cuts = _crops.shifts(batch, 1, ("vertical",), rng(0, "shifts"))
    places = torch.stack([cuts.top, cuts.left]).T
    seen, counts = places.unique(dim=0, return_counts=True)
    assert seen.tolist() == [[r, c] for r in (-1, 0, 1) for c in (-1, 0, 1)]
    assert counts.min() > 4000 / 9 * 0.8
    assert not cuts.mirror.any()
    assert 1850 < cuts.upend.sum() < 2150


def test_shifts_stay_within_each_image_and_its_border() -> None:
    geometry = Geometry(8, "pad", 2, (), (0.5,), (0.5,))
    boxes = torch.tensor([[8, 14], [12, 8], [3, 8]]).repeat(300, 1)
    x = torch.zeros(900, 1, 12, 14, dtype=torch.uint8)
    cuts = _crops.shifts(Batch(x, boxes, geometry), 2, (), rng(0, "shifts"))
    assert cuts.top[0::3].unique().tolist() == [-2, -1, 0, 1, 2]
    assert cuts.left[0::3].unique().tolist() == list(range(-2, 9))
    assert cuts.top[1::3].unique().tolist() == list(range(-2, 7))
    assert cuts.top[2::3].unique().tolist() == [-3]  # smaller than the window: in the middle


@pytest.mark.parametrize("channels", [1, 3])
def test_resized_parts_are_pil_s_within_two_grey_levels(channels: int) -> None:
    x = torch.cat([noise(20, 3, 40, 52), smooth(20, 40, 52)])[:, :channels].contiguous()
    cuts = _crops.parts(Batch(x, None, PHOTOS), (0.08, 1.0), BOTH, rng(0, "parts"))
    made = _crops.resized(x, cuts, 24)
    assert made.dtype == torch.uint8
    for i, image in enumerate(x.expand(-1, 3, -1, -1)):
        part = pil(image).crop(box(cuts, i)).resize((24, 24), Image.Resampling.BILINEAR)
        error = (made[i].int() - tensor(flipped(part, cuts, i))[:channels].int()).abs()
        assert error.max() <= 2
        assert error.float().mean() < 0.3


def test_the_products_of_other_devices_agree_with_pil() -> None:
    x = torch.cat([noise(20, 3, 40, 52), smooth(20, 40, 52)])
    cuts = _crops.parts(Batch(x, None, PHOTOS), (0.08, 1.0), BOTH, rng(0, "parts"))
    made = _crops.by_products(x, cuts, 24)
    assert made.dtype == torch.uint8
    for i, image in enumerate(x):
        part = pil(image).crop(box(cuts, i)).resize((24, 24), Image.Resampling.BILINEAR)
        expected = tensor(flipped(part, cuts, i))
        assert (made[i].int() - expected.int()).abs().max() <= 1


def test_parts_follow_torchvision_s_distribution() -> None:
    from torchvision.transforms import RandomResizedCrop

    x = torch.zeros(4000, 1, 30, 100, dtype=torch.uint8)
    boxes = torch.tensor([[30, 50]]).repeat(4000, 1)
    cuts = _crops.parts(Batch(x, boxes, PHOTOS), (0.2, 0.9), (), rng(0, "parts"))
    torch.manual_seed(0)
    image = torch.zeros(1, 30, 50)
    theirs = torch.tensor(
        [RandomResizedCrop.get_params(image, [0.2, 0.9], [3 / 4, 4 / 3]) for _ in range(4000)]
    ).float()
    ours = torch.stack([cuts.top, cuts.left, cuts.height, cuts.width], dim=1).float()
    spread = theirs.std(dim=0) / 4000**0.5
    assert ((ours.mean(dim=0) - theirs.mean(dim=0)).abs() < 5 * spread).all()
    torch.testing.assert_close(ours.std(dim=0), theirs.std(dim=0), rtol=0.05, atol=0)
    assert (ours[:, 0] + ours[:, 2]).max() <= 30
    assert (ours[:, 1] + ours[:, 3]).max() <= 50


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(10, 100, (0, 43, 10, 13)), (100, 10, (43, 0, 13, 10)), (20, 22, (0, 0, 20, 22))],
)
def test_what_never_fits_falls_back_to_the_middle(
    height: int, width: int, expected: tuple[int, ...]
) -> None:
    # four times the area fits nowhere, as with torchvision's ten tries
    batch = Batch(torch.zeros(1, 1, height, width, dtype=torch.uint8), None, PHOTOS)
    cuts = _crops.parts(batch, (4.0, 4.0), (), rng(0, "parts"))
    found = [int(t) for t in (cuts.top, cuts.left, cuts.height, cuts.width)]
    assert tuple(found) == expected


def test_boxes_keep_the_padding_out_of_the_picture() -> None:
    x = torch.zeros(64, 3, 60, 60, dtype=torch.uint8)
    x[:, :, :30, :44] = 200
    batch = Batch(x, torch.tensor([[30, 44]]).repeat(64, 1), PHOTOS)
    assert basic.augment(basic.Settings(), batch, rng(0, "a")).x.eq(200).all()
    assert none.augment(none.Settings(), batch, rng(0, "a")).x.eq(200).all()


def test_none_shows_the_centre_as_a_test_image_is_shown() -> None:
    from torchvision.transforms import functional

    geometry, x = replace(PHOTOS, size=28), smooth(2, 64, 80)
    made = none.augment(none.Settings(), Batch(x, None, geometry), rng(0, "a")).x
    for image, mine in zip(x, made, strict=True):
        whole = pil(image).resize((40, 32), Image.Resampling.BILINEAR)
        error = (mine.int() - tensor(functional.center_crop(whole, [28, 28])).int()).abs()
        assert error[:, 1:-1, 1:-1].max() <= 2  # at the edge the filter sees no neighbour
    square = noise(2, 3, 32, 32)
    batch = Batch(square, None, CIFAR)
    assert none.augment(none.Settings(), batch, rng(0, "a")).x is square
    larger = Batch(noise(2, 3, 40, 33), None, CIFAR)
    assert torch.equal(
        none.augment(none.Settings(), larger, rng(0, "a")).x, larger.x[:, :, 4:36, 0:32]
    )


def test_settings_replace_what_the_data_set_says() -> None:
    x = noise(64, 3, 32, 32)
    still = basic.Settings(pad=0, flips=())
    assert torch.equal(basic.augment(still, Batch(x, None, CIFAR), rng(0, "a")).x, x)
    upside = basic.Settings(pad=0, flips=("vertical",))
    made = basic.augment(upside, Batch(x, None, CIFAR), rng(0, "a")).x
    turned = [torch.equal(a, b.flip(1)) for a, b in zip(made, x, strict=True)]
    kept = [torch.equal(a, b) for a, b in zip(made, x, strict=True)]
    assert sum(turned) + sum(kept) == 64
    assert 16 < sum(turned) < 48
    whole = basic.Settings(scale=(1.0, 1.0), flips=())
    square = smooth(4, 24, 24)
    batch = Batch(square, None, PHOTOS)
    cuts = _crops.parts(batch, whole.scale, (), rng(0, "a"))
    assert (cuts.height * cuts.width >= 0.95 * 24 * 24).all()


@pytest.mark.parametrize("scale", [(0.0, 1.0), (0.5, 0.4), (0.5, 1.5)])
def test_scale_must_be_two_shares_in_order(scale: tuple[float, float]) -> None:
    with pytest.raises(ValidationError, match="two shares"):
        basic.Settings(scale=scale)


def test_parts_are_resized_where_a_set_would_shift_if_asked():
    geometry = Geometry(16, "pad", 2, (), (0.5,) * 3, (0.2,) * 3)
    x = torch.randint(0, 256, (6, 3, 16, 16), generator=rng(0, "x")).to(torch.uint8)
    settings = basic.Settings(crop="resized", scale=(0.2, 1.0))
    made = basic.augment(settings, Batch(x, None, geometry), rng(0, "draw"))
    other = replace(geometry, crop="resized")
    plain = basic.Settings(scale=(0.2, 1.0))
    expected = basic.augment(plain, Batch(x, None, other), rng(0, "draw"))
    assert torch.equal(made.x, expected.x) and made.geometry == geometry
