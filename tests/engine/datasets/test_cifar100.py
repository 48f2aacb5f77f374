"""What CIFAR-100 has of its own: two labels to an image, of which the fine one counts."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine.datasets import cifar100
from engine.errors import DataError


def load(root: Path, **knobs: object):
    return cifar100.load(cifar100.Settings(root=str(root), **knobs))


def test_fine_labels_and_pixels_are_read_from_the_binary_layout(
    tmp_path: Path, image_sets: SimpleNamespace
) -> None:
    folder = image_sets.cifar100_binary(tmp_path)
    splits = load(tmp_path, validation="none")
    raw = np.fromfile(folder / "train.bin", np.uint8).reshape(-1, 3074)
    assert splits.train.y[:3].tolist() == [0, 1, 2] and splits.train.y[799] == 99
    assert splits.train.x[799, 2, 31, 30] == raw[799, 2 + 2 * 1024 + 31 * 32 + 30]
    assert [splits.train.classes[n] for n in (0, 8, 52, 99)] == [
        "apple",
        "bicycle",
        "oak_tree",
        "worm",
    ]
    assert len(set(splits.train.classes)) == 100


def test_the_python_layout_equals_the_binary_one(
    tmp_path: Path, image_sets: SimpleNamespace
) -> None:
    one = load(image_sets.cifar100_python(tmp_path), validation=100)
    two = load(tmp_path / "raw", validation=100)
    assert torch.equal(one.train.x, two.train.x) and torch.equal(one.train.y, two.train.y)
    assert torch.equal(one.test.x, two.test.x) and one.subset == two.subset
    assert "the checksum of train, test is not that of the official file" in one.warnings[-1]
    assert "not, pixel for pixel, the official ones" in two.warnings[-1]


def test_damaged_files_are_named(tmp_path: Path, image_sets: SimpleNamespace) -> None:
    folder = image_sets.cifar100_binary(tmp_path)
    rows = np.fromfile(folder / "test.bin", np.uint8).reshape(-1, 3074)
    rows[3, 1] = 100
    rows.tofile(folder / "test.bin")
    with pytest.raises(DataError, match="test.bin, image 3: label 100 .* none of the 100 classes"):
        load(tmp_path)
    os.truncate(folder / "train.bin", 3073)
    with pytest.raises(DataError, match="train.bin is truncated: 3073 bytes .*153,700,000"):
        load(tmp_path)
    (folder / "test.bin").unlink()
    with pytest.raises(DataError, match="lacks test.bin. Download https"):
        load(tmp_path)
