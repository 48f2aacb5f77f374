"""Each operation against PIL or torchvision, image by image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as torchvision

from engine.augmentations import _filters, _operations
from engine.seeds import rng

Operation = Callable[[Image.Image, float], Image.Image]
SIDE = 32


def images(channels: int = 3, side: int = SIDE) -> torch.Tensor:
    """Noise, waves, narrow ranges, two levels, one level, black, white and single colours."""
    rows, columns = torch.arange(side).view(-1, 1), torch.arange(side)
    waves = (torch.sin(rows / 3) + torch.cos(columns / 4) + 2) / 4 * 255
    noise = torch.randint(0, 256, (6, channels, side, side), generator=rng(0, "noise"))
    some = [*noise, *(noise[:2] // 8 + 100), *(noise[2:4] // 128 * 255)]
    some += [torch.stack([waves.roll(c, 0) for c in range(channels)])]
    some += [torch.full((channels, side, side), level) for level in (0, 1, 128, 255)]
    blank = torch.arange(channels).view(-1, 1, 1).expand(channels, side, side)
    some += [blank * 100, (channels - 1 - blank) * 100]
    odd = torch.full((channels, side, side), 200)
    odd[:, 3, 4] = 7  # one pixel apart from the others
    return torch.stack([*some, odd]).to(torch.uint8)


def pil(image: torch.Tensor) -> Image.Image:
    return Image.fromarray(image.permute(1, 2, 0).squeeze(2).numpy())


def levels(image: Image.Image) -> torch.Tensor:
    array = torch.from_numpy(np.asarray(image).copy())
    return array.unsqueeze(0) if array.dim() == 2 else array.permute(2, 0, 1)


def ours(name: str, x: torch.Tensor, value: float, fill: int = 0) -> torch.Tensor:
    chosen = torch.zeros(len(x), dtype=torch.int64)
    values = torch.full((len(x),), value, dtype=torch.float64)
    return _operations.apply(x.clone(), (name,), chosen, values, fill)


def by_affine(matrix: Callable[[float], tuple[float, ...]], **how: object) -> Operation:
    def moved(image: Image.Image, value: float) -> Image.Image:
        return image.transform(image.size, Image.Transform.AFFINE, matrix(value), **how)

    return moved


def grey(image: Image.Image) -> tuple[int, ...] | int:
    return 128 if image.mode == "L" else (128, 128, 128)


def cubic(matrix: Callable[[float], tuple[float, ...]]) -> Operation:
    def moved(image: Image.Image, value: float) -> Image.Image:
        how = {"resample": Image.Resampling.BICUBIC, "fillcolor": grey(image)}
        return by_affine(matrix, **how)(image, value)

    return moved


FACTORS = (0.05, 0.3, 0.77, 0.95, 1.0, 1.0999, 1.9)
SHARES = (-0.99, -0.3, -0.07, 0.0, 0.1, 0.0333, 0.3)
EXACT: dict[str, tuple[tuple[float, ...], Operation]] = {
    "identity": ((0.0,), lambda image, v: image),
    "autocontrast": ((0.0,), lambda image, v: ImageOps.autocontrast(image)),
    "equalize": ((0.0,), lambda image, v: ImageOps.equalize(image)),
    "invert": ((0.0,), lambda image, v: ImageOps.invert(image)),
    "solarize": ((0.0, 0.5, 100.0, 127.99, 255.0, 256.0), ImageOps.solarize),
    "posterize": (
        (1.0, 2.0, 4.7, 7.999, 8.0),
        lambda image, v: ImageOps.posterize(image, int(v)),
    ),
    "color": (FACTORS, lambda image, v: ImageEnhance.Color(image).enhance(v)),
    "contrast": (FACTORS, lambda image, v: ImageEnhance.Contrast(image).enhance(v)),
    "brightness": (FACTORS, lambda image, v: ImageEnhance.Brightness(image).enhance(v)),
    "sharpness": (FACTORS, lambda image, v: ImageEnhance.Sharpness(image).enhance(v)),
    "grayscale": ((0.0,), lambda image, v: image.convert("L").convert(image.mode)),
    "hue": ((-0.5, -0.1, -0.002, 0.0, 0.06, 0.1, 0.5), torchvision.adjust_hue),
    "rotate": (
        (-135.0, -90.0, -29.9, 0.0, 4.5, 13.37, 30.0, 45.0, 90.0, 180.0),
        lambda image, v: image.rotate(v),
    ),
    "shear_x": (SHARES, by_affine(lambda v: (1, v, 0, 0, 1, 0))),
    "shear_y": (SHARES, by_affine(lambda v: (1, 0, 0, v, 1, 0))),
    "translate_x": (
        (-14.5, -3.2, -0.4, 0.0, 0.5, 2.9, 40.0),
        by_affine(lambda v: (1, 0, v, 0, 1, 0)),
    ),
    "translate_y": (
        (-14.5, -3.2, -0.4, 0.0, 0.5, 2.9, 40.0),
        by_affine(lambda v: (1, 0, 0, 0, 1, v)),
    ),
    "cubic_shear_x": (SHARES, cubic(lambda v: (1, v, 0, 0, 1, 0))),
    "cubic_shear_y": (SHARES, cubic(lambda v: (1, 0, 0, v, 1, 0))),
}


def test_every_operation_is_compared() -> None:
    assert EXACT.keys() == set(_operations.NAMES)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", EXACT)
def test_an_operation_equals_pil_s_to_the_pixel(name: str, channels: int) -> None:
    values, operation = EXACT[name]
    x = images(channels)
    for value in values:
        for image, mine in zip(x, ours(name, x, value), strict=True):
            assert torch.equal(mine, levels(operation(pil(image), value))), value


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0, 1.9, 5.0, 30.0])
def test_blur_is_pil_s_within_three_levels(sigma: float, channels: int) -> None:
    x = images(channels)
    made = _filters.blur(x, torch.full((len(x),), sigma, dtype=torch.float64))
    error = torch.stack(
        [
            mine.int() - levels(pil(image).filter(ImageFilter.GaussianBlur(sigma))).int()
            for image, mine in zip(x, made, strict=True)
        ]
    )
    assert error.abs().max() <= 3
    assert error.abs().float().mean() < 0.5


def test_hue_equals_pil_s_for_all_kinds_of_colours() -> None:
    x = torch.randint(0, 256, (8, 3, 64, 64), generator=rng(0, "colours")).to(torch.uint8)
    for image, mine in zip(x, ours("hue", x, 0.07), strict=True):
        assert torch.equal(mine, levels(torchvision.adjust_hue(pil(image), 0.07)))


@pytest.mark.parametrize("fill", [0, 128])
def test_moves_equal_torchvision_s(fill: int) -> None:
    """Whose shears and translations go the other way."""
    x = images()
    how = {"interpolation": InterpolationMode.NEAREST, "fill": [fill] * 3}
    for value in (-0.7, 0.12, 0.3):
        angle = float(np.degrees(np.arctan(value)))
        still = {"angle": 0.0, "scale": 1.0, **how}
        for i, image in enumerate(map(pil, x)):
            theirs = {
                "shear_x": (value, {"shear": [angle, 0.0], "translate": [0, 0], "center": [0, 0]}),
                "shear_y": (value, {"shear": [0.0, angle], "translate": [0, 0], "center": [0, 0]}),
                "translate_x": (
                    -int(value * 30),
                    {"shear": [0.0], "translate": [int(value * 30), 0]},
                ),
                "translate_y": (
                    -int(value * 30),
                    {"shear": [0.0], "translate": [0, int(value * 30)]},
                ),
            }
            for name, (mine, settings) in theirs.items():
                expected = levels(torchvision.affine(image, **still, **settings))
                assert torch.equal(ours(name, x[i : i + 1], mine, fill)[0], expected), name
            expected = levels(torchvision.rotate(image, value * 40, **how))
            assert torch.equal(ours("rotate", x[i : i + 1], value * 40, fill)[0], expected)


def test_bands_that_are_no_colours_are_grey_images_of_their_own() -> None:
    x = images(13)
    for name, (values, _) in EXACT.items():
        together = ours(name, x, values[-1])
        apart = [ours(name, x[:, i : i + 1].contiguous(), values[-1]) for i in range(13)]
        assert torch.equal(together, torch.cat(apart, dim=1)), name
    for name in ("color", "hue", "grayscale"):
        assert torch.equal(ours(name, x, 0.4), x)


def test_a_batch_of_many_operations_equals_them_one_by_one() -> None:
    names = tuple(sorted(_operations.NAMES))
    x = images().repeat(8, 1, 1, 1)
    chosen = torch.randint(-1, len(names), (len(x),), generator=rng(0, "chosen"))
    values = torch.tensor([EXACT[names[i]][0][-1] for i in chosen], dtype=torch.float64)
    made = _operations.apply(x.clone(), names, chosen, values, fill=9)
    assert set(chosen.tolist()) == set(range(-1, len(names)))
    for i, mine in enumerate(made):
        one = x[i : i + 1]
        if chosen[i] >= 0:
            one = ours(names[chosen[i]], one, values[i].item(), fill=9)
        assert torch.equal(mine, one[0]), names[chosen[i]]
