"""What every policy may end with: blur, cutout, mixup and cutmix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from engine.augmentations import _cutout, _filters, _mixing, basic
from engine.errors import SpecError
from engine.images import Batch, Geometry
from engine.seeds import rng

STILL = {"pad": 0, "flips": ()}
PLAIN = Geometry(32, "pad", 4, (), (0.5,) * 3, (0.2,) * 3)


def noise(count: int, side: int = 32, channels: int = 3) -> torch.Tensor:
    made = torch.randint(0, 256, (count, channels, side, side), generator=rng(0, "noise"))
    return made.to(torch.uint8)


def augmented(x: torch.Tensor, seed: int = 0, **settings: Any) -> Batch:
    geometry = replace(PLAIN, size=x.shape[3])
    chosen = basic.Settings(**STILL, **settings)
    return basic.augment(chosen, Batch(x, None, geometry), rng(seed, "augment"))


# blur


def test_blur_takes_its_share_of_the_images_each_by_its_own_sigma() -> None:
    x = noise(1).repeat(1000, 1, 1, 1)
    made = augmented(x, blur=0.3, blur_sigma=(0.5, 2.0)).x
    detail = (made.float() - made.float().mean((1, 2, 3), keepdim=True)).std((1, 2, 3))
    changed = (made != x).flatten(1).any(1)
    assert 250 < changed.sum() < 350
    assert len(detail[changed].unique()) > 200
    weakest, strongest = (
        _filters.blur(x[:1], torch.tensor([sigma], dtype=torch.float64)).float().std()
        for sigma in (0.5, 2.0)
    )
    assert detail[changed].max() <= weakest + 1 and detail[changed].min() >= strongest - 1


# cutout


def holes(form: str, count: int = 20_000) -> torch.Tensor:
    """bool [count, 32, 32]: what a cutout of 16 pixels takes."""
    make = _cutout.boxes if form == "correct" else _cutout.defective_boxes
    top, bottom, left, right = make(count, 32, 32, 16, rng(0, "cutout")).unsqueeze(2)
    steps = torch.arange(32)
    down, across = (steps >= top) & (steps < bottom), (steps >= left) & (steps < right)
    return down.unsqueeze(2) & across.unsqueeze(1)


def papers_areas() -> torch.Tensor:
    """Every place that DataEfficientLTH may draw, and what its lines then cut out of an array."""
    areas = []
    for first_row in range(-8, 16):
        for first_column in range(-8, 16):
            image = torch.zeros(32, 32)
            bottom, right = first_row + 16, first_column + 16
            top = max(first_row, 0)
            left = 0 if first_column < 0 else top
            image[top:bottom, left:right] = 1
            areas.append(image.sum())
    return torch.stack(areas)


def test_a_correct_cutout_takes_a_fifth_on_average() -> None:
    areas = holes("correct").float().sum((1, 2))
    sides = torch.tensor([*range(8, 16), *[16] * 16]).float()  # 24 places along each side
    assert (sides.mean() / 32) ** 2 == pytest.approx(0.2053, abs=1e-4)
    assert areas.mean() / 1024 == pytest.approx(0.2053, abs=0.002)
    assert areas.max() == 256 and areas.min() == 64


def test_the_papers_cutout_takes_more_and_other_shapes() -> None:
    areas, expected = holes("paper").float().sum((1, 2)), papers_areas()
    assert expected.mean() / 1024 == pytest.approx(0.224, abs=5e-4)
    assert areas.mean() / 1024 == pytest.approx(0.224, abs=0.002)
    assert areas.max() == expected.max() == 31 * 16
    assert areas.unique().tolist() == expected.unique().tolist()


def test_a_hole_takes_the_mean_of_its_own_image() -> None:
    x = noise(50)
    made = augmented(x, cutout=16).x
    for image, mine in zip(x, made, strict=True):
        hole = (mine != image).any(0)
        mean = int(image.double().mean())
        rows, columns = hole.any(1).nonzero().flatten(), hole.any(0).nonzero().flatten()
        box = mine[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert box.eq(mean).all()
        assert 8 <= len(rows) <= 16 and 8 <= len(columns) <= 16


@pytest.mark.parametrize("side", [1, 7, 8])
def test_a_cutout_may_be_as_large_as_the_image_but_no_larger(side: int) -> None:
    x = noise(64, side=8, channels=1)
    share = (augmented(x, cutout=side).x != x).float().mean((1, 2, 3))
    assert 0 < share.mean() < 1
    with pytest.raises(SpecError, match="cutout 9 is larger than the images, which have 8") as told:
        augmented(x, cutout=9)
    assert told.value.at == "augmentation.cutout"


# mixup and cutmix


def test_mixup_adds_two_images_by_their_shares() -> None:
    x = noise(200)
    made = augmented(x, mixup=0.4)
    assert made.mix is not None and made.x.dtype == torch.float32
    share, other = made.mix.share.view(-1, 1, 1, 1), x[made.mix.partner].float()
    torch.testing.assert_close(made.x, share * x + (1 - share) * other, rtol=0, atol=1e-3)
    assert made.mix.partner.sort().values.tolist() == list(range(200))
    assert len(made.mix.share.unique()) > 150


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_drawn_from_a_beta_distribution(alpha: float) -> None:
    drawn = _mixing.betas(alpha, 40_000, rng(0, "shares")).double()
    assert drawn.mean() == pytest.approx(0.5, abs=0.01)
    assert drawn.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.03)
    assert drawn.min() >= 0 and drawn.max() <= 1


def test_cutmix_pastes_a_box_of_another_image_and_tells_its_area() -> None:
    x = noise(200)
    made = augmented(x, cutmix=1.0)
    assert made.mix is not None
    other = x[made.mix.partner]
    for i, mine in enumerate(made.x):
        pasted = (mine != x[i]).any(0)
        assert mine[:, pasted].equal(other[i][:, pasted].float())
        equal = (x[i] == other[i]).all(0).sum() / 1024  # a pixel that both have in common
        assert made.mix.share[i] == pytest.approx(1 - pasted.float().mean(), abs=equal + 1e-6)
        rows, columns = pasted.any(1).nonzero().flatten(), pasted.any(0).nonzero().flatten()
        if len(rows):
            box = pasted[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            assert box.float().mean() > 0.98 or made.mix.partner[i] == i


def test_boxes_have_the_area_of_the_drawn_share_where_no_edge_cuts_them() -> None:
    shape = torch.Size([20_000, 1, 64, 64])
    kept = _mixing.outside(1.0, shape, rng(0, "boxes"))
    # E[area] of torchvision's recipe: middle and half side by side, over all middles and shares
    share = (torch.arange(2000) + 0.5) / 2000
    half = (0.5 * (1 - share).sqrt() * 64).long().view(-1, 1)
    middle = torch.arange(64)
    sides = (middle + half).clamp(max=64) - (middle - half).clamp(min=0)
    expected = (sides.double().mean(1) ** 2).mean() / 64**2
    assert 1 - kept.mean() == pytest.approx(expected, rel=0.02)


def test_with_both_each_image_is_mixed_one_way_or_the_other() -> None:
    x = noise(1).repeat(400, 1, 1, 1)
    x[::2] = 255 - x[::2]
    made = augmented(x, mixup=1.0, cutmix=1.0)
    assert made.mix is not None
    opposite = (made.mix.partner % 2 != torch.arange(400) % 2) & (made.mix.share < 0.99)
    pasted = (made.x.frac() == 0).flatten(1).all(1)[opposite]
    assert 0.35 < pasted.float().mean() < 0.65
    assert made.x.min() >= 0 and made.x.max() <= 255


def test_nothing_is_mixed_unless_asked_for() -> None:
    assert augmented(noise(4)).mix is None
    assert augmented(noise(4), cutout=8, blur=1.0).mix is None


# settings


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"cutout_form": "paper"}, "cutout_form has no effect with cutout: 0"),
        ({"blur_sigma": (0.5, 1.0)}, "blur_sigma has no effect with blur: 0.0"),
        ({"blur": 0.5, "blur_sigma": (2.0, 1.0)}, "0 < smallest <= largest"),
        ({"blur": 0.5, "blur_sigma": (0.0, 1.0)}, "0 < smallest <= largest"),
        ({"mixup": -1.0}, "greater than or equal to 0"),
        ({"cutout": 8, "cutout_form": "round"}, "'correct' or 'paper'"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        basic.Settings(**settings)


def test_blur_and_cutout_work_on_any_number_of_bands() -> None:
    for channels in (1, 13):
        x = noise(8, channels=channels)
        made = augmented(x, blur=1.0, cutout=8, mixup=1.0, cutmix=1.0)
        assert made.x.shape == x.shape
