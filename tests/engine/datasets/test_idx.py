"""MNIST and Fashion-MNIST: idx files in every place and wrapping, and files of something else."""

from __future__ import annotations

import gzip
import os
import struct
from dataclasses import replace
from hashlib import md5
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine.datasets import _idx, fashion_mnist, mnist
from engine.errors import DataError

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.fixture
def folder(tmp_path: Path, image_sets: SimpleNamespace) -> Path:
    return image_sets.idx(tmp_path)


def load(root: Path, module=mnist):
    return module.load(module.Settings(root=str(root), validation="none"))


def test_images_and_labels_are_those_of_the_files(folder: Path) -> None:
    splits = load(folder)
    raw = (folder / IMAGES).read_bytes()
    assert splits.train.x.shape == (120, 1, 28, 28) and splits.test.x.shape == (30, 1, 28, 28)
    assert splits.train.x[119, 0, 27, 26] == raw[16 + 119 * 784 + 27 * 28 + 26]
    assert splits.train.y[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert (splits.geometry.pad, splits.geometry.flips) == (0, ())
    assert "t10k-labels-idx1-ubyte is not the official one" in splits.warnings[0]


@pytest.mark.parametrize(
    ("module", "inner"),
    [
        (mnist, "mnist"),
        (mnist, "MNIST/raw"),
        (fashion_mnist, "FashionMNIST/raw"),
        (fashion_mnist, "fashion-mnist"),
    ],
)
def test_gzipped_files_are_found_where_others_leave_them(
    folder: Path, image_sets: SimpleNamespace, module, inner: str
) -> None:
    (folder / "data" / inner).mkdir(parents=True)
    image_sets.idx(folder / "data" / inner, zipped=True)
    one, two = load(folder, module), load(folder / "data", module)
    assert torch.equal(one.train.x, two.train.x) and torch.equal(one.test.y, two.test.y)


def test_official_files_are_known_by_their_content(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {key: md5((folder / stem).read_bytes()).hexdigest() for key, stem in _idx.STEMS.items()}
    monkeypatch.setattr(mnist, "SOURCE", replace(mnist.SOURCE, md5=own))
    assert not load(folder).warnings
    raw = bytearray((folder / LABELS).read_bytes())
    raw[8:10] = raw[9:7:-1]
    (folder / LABELS).write_bytes(raw)
    assert f"the content of {LABELS} is not the official one" in load(folder).warnings[0]


def test_kaggle_s_spelling_is_understood(folder: Path) -> None:
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.replace("-idx", ".idx"))
    assert len(load(folder).train) == 120


def header(count: int, *sides: int, kind: int = 8) -> bytes:
    return struct.pack(f">{2 + len(sides)}I", kind << 8 | 1 + len(sides), count, *sides)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (IMAGES, b"", "no idx file of images of 28 x 28"),
        (IMAGES, header(120), "no idx file of images of 28 x 28"),
        (IMAGES, header(120, 32, 32) + bytes(120 * 1024), "no idx file of images of 28 x 28"),
        (IMAGES, header(120, 28, 28, kind=13), "no idx file of images of 28 x 28"),
        (IMAGES, header(120, 28, 28) + bytes(94_079), "has less than the 94,080 bytes"),
        (IMAGES, header(120, 28, 28) + bytes(94_081), "has more than the 94,080 bytes"),
        (IMAGES, header(119, 28, 28) + bytes(93_296), "has 119 images, and .* 120 labels"),
        (LABELS, header(120, 28, 28), "no idx file of labels"),
        (LABELS, header(120) + bytes(100), "less than the 120 bytes"),
        (LABELS, header(120) + b"\n" * 120, "image 0: label 10 .* none of the 10 classes"),
        (LABELS, header(2**32 - 1), "has less than the 4,294,967,295 bytes|GiB of memory"),
    ],
)
def test_a_file_of_something_else_is_named(
    folder: Path, name: str, content: bytes, message: str
) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{message}"):
        load(folder)


def test_damaged_and_unfolding_gzip_files_are_refused(folder: Path) -> None:
    whole = (folder / IMAGES).read_bytes()
    (folder / IMAGES).unlink()
    path = folder / f"{IMAGES}.gz"
    packed = gzip.compress(whole)
    bomb = gzip.compress(header(120, 28, 28) + bytes(2**26))
    cases = {
        packed[: len(packed) // 2]: "cannot be read",
        b"no gzip": "cannot be read",
        bomb: "has more than the 94,080 bytes",
    }
    for content, message in cases.items():
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"{path.name}.*{message}"):
            load(folder)
    path.unlink()
    os.mkfifo(folder / IMAGES)
    with pytest.raises(DataError, match=f"lacks {IMAGES} .or {IMAGES}.gz.. Download"):
        load(folder)


def test_more_than_the_memory_is_not_allocated(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Free", (), {"available": 1000}))
    with pytest.raises(DataError, match="images-idx3-ubyte would take .* GiB of memory, and 0.0"):
        load(folder)


def test_real_images_come_through(real_images: Path, tmp_path: Path) -> None:
    rows = np.fromfile(real_images / "cifar-10-batches-bin/test_batch.bin", np.uint8, 200 * 3073)
    rows = rows.reshape(-1, 3073)
    gray = rows[:, 1:].reshape(-1, 3, 32, 32)[:, 1, 2:30, 2:30]
    for name, part in (("train", slice(0, 150)), ("t10k", slice(150, 200))):
        pixels, labels = np.ascontiguousarray(gray[part]), rows[part, 0].tobytes()
        head = header(len(pixels), 28, 28)
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        packed = gzip.compress(header(len(labels)) + labels)
        (tmp_path / f"{name}-labels-idx1-ubyte.gz").write_bytes(packed)
    splits = load(tmp_path, fashion_mnist)
    assert torch.equal(splits.train.x[:, 0], torch.from_numpy(gray[:150].copy()))
    assert splits.test.y.tolist() == rows[150:, 0].tolist()
