"""13-band GeoTIFF: the fixed range of each band, both orders of the file, and other files."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from engine.datasets import eurosat_allband
from engine.errors import DataError

FIRST = "imgs/Class0/Class0_0.tif"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, image_sets: SimpleNamespace) -> Path:
    folder = tmp_path_factory.mktemp("bands") / "eurosat_allband"
    return image_sets.lists(folder, classes=10, save=image_sets.bands)


@pytest.fixture
def path(written: Path):
    """The first training image, put back afterwards."""
    before = (written / FIRST).read_bytes()
    yield written / FIRST
    (written / FIRST).unlink(missing_ok=True)
    (written / FIRST).write_bytes(before)


def load(folder: Path, **knobs: object):
    chosen = {"validation": "none", "per_class": 12, **knobs}
    return eurosat_allband.load(eurosat_allband.Settings(root=str(folder), **chosen))


def write(path: Path, pixels: np.ndarray, **how: object) -> None:
    tifffile.imwrite(path, pixels, photometric="minisblack", **how)


def test_each_band_fills_its_published_range(path: Path) -> None:
    pixels = np.zeros((64, 64, 13), np.uint16)
    pixels[0, 0] = 65_535
    pixels[0, 1] = 1000
    pixels[0, 2, 9] = 12
    write(path, pixels, planarconfig="contig")
    splits = load(path.parents[2])
    x = splits.train.x[splits.train.ids.index("Class0/Class0_0")]
    assert x.shape == (13, 64, 64)
    assert x[:, 0, 0].tolist() == [255] * 13
    # 255 * 1000 / (mean + 3 deviations), rounded: B01 reaches 2091.56, B02 2117.27, cirrus 26.44
    assert x[:2, 0, 1].tolist() == [122, 120] and x[9, 0, 1] == 255
    assert x[9, 0, 2] == 116 and not x[:, 1:].any()
    assert (splits.geometry.mean, splits.geometry.pad) == ((0.5,) * 13, 8)
    plain = load(path.parents[2], full_scale=10_000).train.x
    assert plain[splits.train.ids.index("Class0/Class0_0"), :, 0, 1].tolist() == [26] * 13


@pytest.mark.parametrize("how", ["deflate", "planes"])
def test_other_orders_and_packings_give_the_same_pixels(path: Path, how: str) -> None:
    before = load(path.parents[2]).train
    pixels = tifffile.imread(path)
    if how == "deflate":
        write(path, pixels, planarconfig="contig", compression="zlib")
    else:
        write(path, pixels.transpose(2, 0, 1).copy(), planarconfig="separate")
    assert torch.equal(load(path.parents[2]).train.x, before.x)


def broken(path: Path, kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 4000, (64, 64, 13), dtype=np.uint16)
    path.unlink()
    if kind == "cut":
        write(path, noise, planarconfig="contig")
        os.truncate(path, 50_000)
    elif kind == "colour":
        Image.new("RGB", (64, 64)).save(path)
    elif kind == "small":
        write(path, noise[:32, :32].copy(), planarconfig="contig")
    elif kind == "shallow":
        write(path, (noise >> 4).astype(np.uint8), planarconfig="contig")
    elif kind == "decimal":
        write(path, noise.astype(np.float32) / 2, planarconfig="contig", compression="zlib")
    elif kind == "lzw":
        write(path, noise, planarconfig="contig")
        with tifffile.TiffFile(path, mode="r+") as file:
            file.pages[0].tags["Compression"].overwrite(5)
    elif kind == "huge":
        path.write_bytes(bytes(2**20))
    else:
        path.write_text("text" if kind == "text" else "")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "not a TIFF"),
        ("empty", ""),
        ("cut", ""),
        ("colour", r"its shape is \(64, 64, 3\)"),
        ("small", r"its shape is \(32, 32, 13\)"),
        ("shallow", "its numbers are uint8, not 16-bit ones"),
        ("decimal", "its numbers are float32|more than"),
        ("lzw", "packed by LZW; unpack all images, such as by gdal_translate"),
        ("huge", "it has more than 172,032 bytes"),
    ],
)
def test_other_files_are_named(path: Path, kind: str, message: str) -> None:
    broken(path, kind)
    with pytest.raises(
        DataError, match=f"Class0_0.tif: cannot be read as 13 bands of 64 x 64 .*{message}"
    ):
        load(path.parents[2])


def test_real_images_in_13_bands(real_images: Path, tmp_path: Path) -> None:
    source, folder = real_images / "eurosat", tmp_path / "eurosat_allband"
    for name, count in (("trainval", 50), ("test", 200)):
        lines = (source / f"{name}.txt").read_text().splitlines()[:: count // 2]
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.txt").write_text("\n".join(lines))
        for line in lines:
            stem = line.split()[0]
            rgb = np.asarray(Image.open(source / f"imgs/{stem}.jpg"), np.uint16)
            (folder / "imgs" / stem).parent.mkdir(parents=True, exist_ok=True)
            pixels = np.repeat(rgb[:, :, 1:2], 13, axis=2) * 10
            write(folder / f"imgs/{stem}.tif", pixels, planarconfig="contig")
    splits = load(tmp_path, per_class=None, full_scale=2550)
    assert torch.bincount(splits.train.y).tolist() == [2] * 10
    stem = splits.train.ids[3]
    green = np.asarray(Image.open(source / f"imgs/{stem}.jpg"))[:, :, 1]
    assert torch.equal(splits.train.x[3], torch.from_numpy(green.copy()).expand(13, 64, 64))
