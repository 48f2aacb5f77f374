"""Corruptions of images, each against a slow one of numpy, scipy, matplotlib or PIL."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib import colors
from PIL import Image
from scipy import ndimage
from torch import Tensor

from engine import corruptions, seeds
from engine.evaluations import (
    _blurs,
    _corrupting,
    _digital,
    _noises,
    _severities,
    _spatter,
    _weather,
)
from engine.evaluations._draws import Draws

SIZE = 16


class Recorded(Draws):
    """Draws that remember what they gave for the first image."""

    def __init__(self, count: int) -> None:
        super().__init__([seeds.rng(1, image) for image in range(count)], torch.device("cpu"))
        self.given: list[Any] = []

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return self._noted(super().uniform(low, high, *shape))

    def normal(self, mean: float, deviation: float, *shape: int) -> Tensor:
        return self._noted(super().normal(mean, deviation, *shape))

    def whole(self, low: int, high: int, *shape: int) -> Tensor:
        return self._noted(super().whole(low, high, *shape))

    def _noted(self, drawn: Tensor) -> Tensor:
        self.given.append(drawn[0].double().numpy())
        return drawn


def pictures(channels: int = 3, count: int = 2) -> Tensor:
    """Smooth images with noise, float32 [2, C, 16, 16] in whole levels, black at one corner."""
    line = torch.linspace(0, 3, SIZE)
    smooth = torch.sin(line)[:, None] * torch.cos(line * 1.3).abs()
    noise = torch.rand(count, channels, SIZE, SIZE, generator=seeds.rng(0, "x"))
    x = (smooth * 0.6 + noise * 0.4).clamp(0, 1)
    x[:, :, :2, :2] = 0
    x[:, :, 2:4, :2] = 0.5
    return (x * 255).round() / 255


def check(made: Tensor, expected: Any, tolerance: float = 2e-5) -> None:
    """The first image, clipped, against [C, H, W]."""
    np.testing.assert_allclose(made[0].clamp(0, 1), np.clip(expected, 0, 1), 0, tolerance)


def blurred(x: Any, sigma: float) -> Any:
    return np.stack([ndimage.gaussian_filter(c, sigma, mode="nearest", truncate=4) for c in x])


def first(x: Tensor) -> Any:
    return x[0].double().numpy()


def test_noises_have_the_strength_that_their_constants_say() -> None:
    flat = torch.full((4, 3, 64, 64), 0.25)
    draws = Recorded(4)
    assert (_noises.gaussian_noise(flat, 0.08, draws) - flat).std() == pytest.approx(0.08, rel=0.02)
    assert (_noises.speckle_noise(flat, 0.2, draws) - flat).std() == pytest.approx(0.05, rel=0.02)
    counted = _noises.shot_noise(flat, 50, draws)
    assert counted.mean() == pytest.approx(0.25, rel=0.01)
    assert counted.var() == pytest.approx(0.25 / 50, rel=0.03)
    lost = _noises.impulse_noise(flat, 0.07, draws)
    assert (lost != flat).float().mean() == pytest.approx(0.07, rel=0.05)
    assert (lost == 1).float().mean() == pytest.approx(0.035, rel=0.1)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 3.0])
def test_a_gaussian_blur_is_scipys(sigma: float) -> None:
    x = pictures()
    check(_blurs.gaussian_blur(x, sigma, Recorded(2)), blurred(first(x), sigma))


@pytest.mark.parametrize(("radius", "sigma"), [(0.3, 0.4), (1.5, 0.1), (3, 0.1), (10, 0.5)])
def test_a_lens_out_of_focus_is_a_convolution_with_a_disk(radius: float, sigma: float) -> None:
    x = pictures()
    reach, width = (8, 1) if radius <= 8 else (radius, 2)
    line = range(-reach, reach + 1)
    disk = np.array([[float(a * a + b * b <= radius**2) for a in line] for b in line])
    disk /= disk.sum()
    bell = np.array([math.exp(-(a**2) / 2 / sigma**2) for a in range(-width, width + 1)])
    for axis in (0, 1):
        disk = ndimage.correlate1d(disk, bell / bell.sum(), axis, mode="mirror")
    expected = np.stack([ndimage.correlate(c, disk, mode="mirror") for c in first(x)])
    check(_blurs.defocus_blur(x, (radius, sigma), Recorded(2)), expected)


@pytest.mark.parametrize(("farthest", "rounds"), [(1, 1), (1, 2), (3, 2)])
def test_frosted_glass_moves_pixels_one_after_the_other(farthest: int, rounds: int) -> None:
    x, draws = pictures(), Recorded(2)
    made = _blurs.glass_blur(x, (0.4, farthest, rounds), draws)
    moved = np.floor(blurred(first(x), 0.4) * 255 + 1e-3) / 255
    for right, down in draws.given:
        for row in range(SIZE - farthest, farthest, -1):
            for column in range(SIZE - farthest, farthest, -1):
                there = row + int(down[row, column]), column + int(right[row, column])
                moved[:, row, column] = moved[:, there[0], there[1]]
    assert not np.array_equal(moved, first(x))
    check(made, blurred(moved, 0.4))


def slow_motion(x: Any, radius: int, sigma: float, degrees: float) -> Any:
    """[C, H, W], along a line, the nearest pixel at each step."""
    weights = np.exp(-(np.arange(2 * radius + 1) ** 2) / (2 * sigma**2))
    angle, size, made = math.radians(degrees), x.shape[-1], np.zeros_like(x)
    for row in range(size):
        for column in range(size):
            for step, weight in enumerate(weights / weights.sum()):
                down = row + math.ceil(step * math.sin(angle) - 0.5)
                right = column + math.ceil(step * math.cos(angle) - 0.5)
                down, right = (min(max(at, 0), size - 1) for at in (down, right))
                made[:, row, column] += weight * x[:, down, right]
    return made


def test_motion_goes_along_a_line_of_its_own() -> None:
    x, draws = pictures(), Recorded(2)
    made = _blurs.motion_blur(x, (6, 2.0), draws)
    expected = slow_motion(first(x), 6, 2.0, float(draws.given[0]))
    check(made, np.round(expected * 255) / 255, 1 / 255 + 1e-6)
    assert abs(float(draws.given[0])) <= 45


def zoomed(x: Any, factor: float) -> Any:
    """[C, H, W], the centre enlarged and trimmed."""
    size = x.shape[-1]
    part = math.ceil(size / factor)
    top = (size - part) // 2
    centre = x[:, top : top + part, top : top + part]
    large = np.stack([ndimage.zoom(c, factor, order=1, mode="nearest") for c in centre])
    trim = (large.shape[-1] - size) // 2
    return large[:, trim : trim + size, trim : trim + size]


@pytest.mark.parametrize(("stop", "step"), [(1.06, 0.01), (1.31, 0.03)])
def test_zoom_blur_is_the_mean_of_views(stop: float, step: float) -> None:
    x = pictures()
    factors = np.arange(1, stop, step)
    views = [first(x), *(zoomed(first(x), factor) for factor in factors)]
    check(_blurs.zoom_blur(x, (stop, step), Recorded(2)), np.mean(views, axis=0))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("zoom", [1, 2.25])
def test_snow_falls_before_a_whiter_image(channels: int, zoom: float) -> None:
    x, draws = pictures(channels), Recorded(2)
    made = _weather.snow(x, (0.25, 0.3, zoom, 0.6, 5, 3, 0.85), draws)
    flakes, degrees = draws.given
    flakes = zoomed(flakes, zoom)
    flakes = np.clip(np.where(flakes < 0.6, 0, flakes), 0, 1)
    flakes = slow_motion(np.floor(flakes * 255) / 255, 5, 3, float(degrees))
    own = first(x)
    grey = own if channels == 1 else np.tensordot([0.299, 0.587, 0.114], own, 1)[None]
    white = 0.85 * own + 0.15 * np.maximum(own, grey * 1.5 + 0.5)
    assert -135 <= degrees <= -45 and flakes.max() > 0
    check(made, white + flakes + np.rot90(flakes, 2, (1, 2)), 2.1 / 255)


def test_a_fractal_is_made_of_squares_and_diamonds_that_go_around_the_border() -> None:
    draws = Recorded(2)
    made = _weather.fractal(16, 2.0, draws)
    drawn = iter(draws.given[1:])
    high, step = np.zeros((16, 16)), 16
    while step >= 2:
        half, noise = step // 2, next(drawn)
        for (i, j), value in np.ndenumerate(noise):
            y, x = i * step, j * step
            four = [high[(y + a) % 16, (x + b) % 16] for a in (0, step) for b in (0, step)]
            high[y + half, x + half] = sum(four) / 4 + (100 / 2 ** (4 - math.log2(step))) * value
        for begin in ((0, half), (half, 0)):
            for (i, j), value in np.ndenumerate(next(drawn)):
                y, x = i * step + begin[0], j * step + begin[1]
                near = ((half, 0), (-half, 0), (0, half), (0, -half))
                four = [high[(y + a) % 16, (x + b) % 16] for a, b in near]
                high[y, x] = sum(four) / 4 + (100 / 2 ** (4 - math.log2(step))) * value
        step = half
    high -= high.min()
    np.testing.assert_allclose(made[0], high / high.max(), atol=1e-4)


def test_fog_keeps_what_is_brightest() -> None:
    x = pictures() * 0.8
    made, cloud = _weather.fog(x, (1.5, 1.75), Recorded(2)), _weather.fractal(16, 1.75, Recorded(2))
    brightest = float(x[0].max())
    check(made, (first(x) + 1.5 * first(cloud)) * brightest / (brightest + 1.5))


def test_drawn_frost_has_the_colour_and_roughness_of_ice() -> None:
    black = torch.zeros(200, 3, 32, 32)
    made = _weather.frost(black, (0.9, 0.4), Recorded(200)) / 0.4
    assert made.mean((0, 2, 3)).tolist() == pytest.approx([0.57, 0.65, 0.70], abs=0.02)
    assert float(made.std((2, 3)).mean()) == pytest.approx(0.08, abs=0.01)
    white = _weather.frost(torch.ones(2, 1, 32, 32), (0.9, 0.4), Recorded(2))
    assert white.shape == (2, 1, 32, 32) and white.min() >= 0.9


@pytest.mark.parametrize("added", [0.05, 0.3])
def test_brightness_adds_to_the_value_of_hsv(added: float) -> None:
    x = pictures()
    hsv = colors.rgb_to_hsv(first(x).transpose(1, 2, 0))
    hsv[..., 2] = np.clip(hsv[..., 2] + added, 0, 1)
    expected = colors.hsv_to_rgb(hsv).transpose(2, 0, 1)
    check(_weather.brightness(x, added, Recorded(2)), expected)


@pytest.mark.parametrize("constants", [(0.1, 0), (1.5, 0), (2.5, 0.2)])
def test_saturation_is_that_of_hsv(constants: tuple[float, float]) -> None:
    x = pictures()
    hsv = colors.rgb_to_hsv(first(x).transpose(1, 2, 0))
    hsv[..., 1] = np.clip(hsv[..., 1] * constants[0] + constants[1], 0, 1)
    expected = colors.hsv_to_rgb(hsv).transpose(2, 0, 1)
    check(_digital.saturate(x, constants, Recorded(2)), expected)


def test_contrast_is_less_difference_from_the_mean() -> None:
    x = pictures()
    mean = first(x).mean((1, 2), keepdims=True)
    check(_digital.contrast(x, 0.3, Recorded(2)), mean + 0.3 * (first(x) - mean))


def image(x: Tensor) -> Image.Image:
    levels = (x[0] * 255).round().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).squeeze(-1).numpy())


def values(picture: Image.Image) -> Any:
    array = np.asarray(picture, dtype=float) / 255
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("share", [0.95, 0.65, 0.25])
def test_large_pixels_are_pils(channels: int, share: float) -> None:
    x, small = pictures(channels), int(SIZE * share)
    box = Image.Resampling.BOX
    expected = image(x).resize((small, small), box).resize((SIZE, SIZE), box)
    check(_digital.pixelate(x, share, Recorded(2)), values(expected), 1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_pils(channels: int) -> None:
    x, file = pictures(channels), io.BytesIO()
    image(x).save(file, "JPEG", quality=40)
    check(_digital.jpeg_compression(x, 40, Recorded(2)), values(Image.open(file)), 1e-6)


@pytest.mark.parametrize("constants", [(0.0, 0.0, 0.08), (0.1, 0.06, 0.0), (2.0, 0.7, 0.1)])
def test_elastic_images_are_sheared_and_then_waved(constants: tuple[float, float, float]) -> None:
    x, draws = pictures(), Recorded(2)
    made = _digital.elastic_transform(x, constants, draws)
    moves, waves = draws.given
    strength, sigma = constants[0] * SIZE, constants[1] * SIZE
    corners = np.array([[13.0, 13.0], [13.0, 3.0], [3.0, 3.0]])  # 8 + 5 and 8 - 5
    there = np.column_stack([corners + moves, np.ones(3)])
    back = np.linalg.solve(there, corners)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    from_x, from_y = (
        columns * back[0, axis] + rows * back[1, axis] + back[2, axis] for axis in (0, 1)
    )
    sheared = [
        ndimage.map_coordinates(c, [from_y, from_x], order=1, mode="mirror") for c in first(x)
    ]
    if sigma:
        waves = [ndimage.gaussian_filter(w, sigma, mode="reflect", truncate=3) for w in waves]
    to = [rows + strength * waves[1], columns + strength * waves[0]]
    expected = [ndimage.map_coordinates(c, to, order=1, mode="reflect") for c in sheared]
    check(made, np.stack(expected), 1e-4)


def test_mud_covers_what_is_behind() -> None:
    x, draws = pictures(), Recorded(2)
    made = _spatter.spatter(x, (0.65, 0.1, 0.7, 0.69, 0.6, True), draws)
    liquid = blurred(draws.given[0], 0.7)
    cover = blurred((liquid > 0.69).astype(float), 0.6)
    cover[cover < 0.8] = 0
    mud = np.array([63, 42, 20]).reshape(3, 1, 1) / 255
    assert cover.max() > 0.8
    check(made, first(x) * (1 - cover) + mud * cover)


def test_water_is_bright_where_drops_are_and_leaves_the_rest() -> None:
    x, draws = pictures() * 0.3, Recorded(2)
    made = _spatter.spatter(x, (0.62, 0.1, 0.7, 0.7, 0.5, False), draws)
    dry = blurred(draws.given[0], 0.7)[0] < 0.7
    added = first(made) - first(x)
    assert np.abs(added[:, dry]).max() < 1e-6 and 0 < dry.mean() < 1
    assert added.min() >= -1e-6
    peak = [0.5 * 175 / 255, 0.5 * 238 / 255, 0.5 * 238 / 255]
    np.testing.assert_allclose(added.max((1, 2)), peak, atol=1e-6)
    none = _spatter.spatter(x, (-9.0, 0.1, 0.7, 0.7, 0.5, False), Recorded(2))
    assert torch.equal(none, x)


def test_distances_and_levels_of_drops() -> None:
    edges = torch.rand(3, 1, 30, 30, generator=seeds.rng(0, "edges")) < 0.004
    found = _spatter._distances(edges)
    for made, edge in zip(found, edges, strict=True):
        expected = ndimage.distance_transform_edt(~edge[0].numpy())
        if not edge.any():
            expected = np.full((30, 30), np.inf)
        np.testing.assert_allclose(made[0], np.minimum(expected, 20), atol=1e-4)
    levels = torch.tensor([3.0, 3.0, 5.0, 9.0, 9.0, 9.0]).view(1, 1, 2, 3)
    # two of the lowest are left out: 1 of 4 is at most 5, and all are at most 9
    assert _spatter._equalised(levels).flatten().tolist() == [0, 0, 64, 255, 255, 255]
    assert _spatter._equalised(torch.full((1, 1, 2, 2), 7.0)).flatten().tolist() == [7.0] * 4


@pytest.mark.parametrize("corruption", corruptions.NAMES)
def test_each_depends_on_its_image_alone_and_gets_worse(corruption: str) -> None:
    x = (pictures(count=5) * 255).to(torch.uint8)
    ids = ["a", "b", "c", "d", "e"]
    far = []
    for severity in corruptions.SEVERITIES:
        made = _corrupting.corrupted(x, corruption, severity, ids)
        assert made.dtype == torch.uint8 and made.shape == x.shape
        parts = [(x[3:], ids[3:]), (x[:3], ids[:3])]
        after, before = (_corrupting.corrupted(y, corruption, severity, n) for y, n in parts)
        assert torch.equal(torch.cat([before, after]), made)
        far.append((made.float() - x.float()).abs().mean())
    assert far[0] > 0
    if corruption not in ("elastic_transform", "saturate", "glass_blur", "spatter"):  # of two kinds
        assert far[4] > far[0]


def test_constants_are_those_of_the_nearest_published_size() -> None:
    assert {*_severities.TABLE} == {*corruptions.NAMES} == {*_corrupting.HOW}
    assert all(len(one) == 5 for sizes in _severities.TABLE.values() for one in sizes)
    found = [_severities.constants("fog", 5, size) for size in (8, 32, 45, 64, 119, 128, 224)]
    assert found == [(1.5, 1.75)] * 3 + [(2, 1.75)] * 2 + [(3, 1.4)] * 2
