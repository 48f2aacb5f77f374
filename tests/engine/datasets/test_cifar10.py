"""Both official layouts, read alike, and what is refused or warned about."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine.datasets import cifar10
from engine.errors import DataError


def load(root: Path, **knobs: object):
    return cifar10.load(cifar10.Settings(root=str(root), **knobs))


def describe(root: Path):
    return cifar10.describe(cifar10.Settings(root=str(root)))


@pytest.mark.parametrize("protocol", range(6))
def test_the_python_layout_equals_the_binary_one(
    tmp_path: Path, image_sets: SimpleNamespace, protocol: int
) -> None:
    one = load(image_sets.cifar10_binary(tmp_path), validation=20)
    two = load(image_sets.cifar10_python(tmp_path, protocol=protocol), validation=20)
    assert torch.equal(one.train.x, two.train.x) and torch.equal(one.test.x, two.test.x)
    assert torch.equal(one.train.y, two.train.y)
    assert one.subset == two.subset


def test_planes_are_red_green_blue_in_rows(tmp_path: Path, image_sets: SimpleNamespace) -> None:
    folder = image_sets.cifar10_binary(tmp_path)
    splits = load(tmp_path, validation="none")
    raw = np.fromfile(folder / "data_batch_2.bin", np.uint8).reshape(-1, 3073)
    assert splits.train.ids[43] == "train/00043"
    assert splits.train.y[43] == raw[3, 0]
    assert splits.train.x[43, 1, 5, 7] == raw[3, 1 + 1024 + 5 * 32 + 7]


def test_files_that_are_not_the_official_ones_are_reported(
    tmp_path: Path, image_sets: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = load(image_sets.cifar10_binary(tmp_path)).warnings
    assert "order of the training images is not the official one" in binary[0]
    assert "order of the test images is not the official one" in binary[1]
    python = load(image_sets.cifar10_python(tmp_path)).warnings
    assert "checksum of data_batch_1, data_batch_2" in python[0]
    assert "published" in python[0]


def test_jpeg_copies_of_the_real_images_are_told_from_the_originals(real_images: Path) -> None:
    splits = load(real_images, fraction=0.01, validation=5000)
    assert torch.bincount(splits.train.y).tolist() == [50] * 10
    assert splits.val is not None and torch.bincount(splits.val.y).tolist() == [500] * 10
    assert [w for w in splits.warnings if "pixel for pixel" in w] == list(splits.warnings)
    assert len(splits.warnings) == 2


@pytest.mark.parametrize("size", [0, 3072, 3073 * 40 - 1])
def test_a_truncated_binary_file_is_named(
    tmp_path: Path, image_sets: SimpleNamespace, size: int
) -> None:
    folder = image_sets.cifar10_binary(tmp_path)
    os.truncate(folder / "data_batch_3.bin", size)
    for act in (describe, load):
        with pytest.raises(DataError, match=f"data_batch_3.bin is truncated: {size} bytes"):
            act(tmp_path)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_a_truncated_pickle_is_named(
    tmp_path: Path, image_sets: SimpleNamespace, share: float
) -> None:
    path = image_sets.cifar10_python(tmp_path) / "test_batch"
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(DataError, match="test_batch is damaged"):
        load(tmp_path)


def test_missing_batches_are_named(tmp_path: Path, image_sets: SimpleNamespace) -> None:
    folder = image_sets.cifar10_binary(tmp_path)
    (folder / "data_batch_4.bin").unlink()
    (folder / "test_batch.bin").unlink()
    with pytest.raises(DataError, match="lacks data_batch_4.bin, test_batch.bin. Download https"):
        describe(tmp_path)


def test_an_unknown_label_is_named(tmp_path: Path, image_sets: SimpleNamespace) -> None:
    path = image_sets.cifar10_binary(tmp_path) / "test_batch.bin"
    rows = np.fromfile(path, np.uint8).reshape(-1, 3073)
    rows[7, 0] = 10
    rows.tofile(path)
    for act in (describe, load):
        with pytest.raises(DataError, match="test_batch.bin, image 7: label 10"):
            act(tmp_path)


class Shell:
    """Runs a command when it is unpickled by anything careless."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


class Import:
    """Names a function of an allowed package that could read files."""

    def __reduce__(self):
        return np.fromfile, ("/etc/hostname", "u1")


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_runs_something_is_refused_before_it_does(
    tmp_path: Path, image_sets: SimpleNamespace, protocol: int
) -> None:
    path = image_sets.cifar10_python(tmp_path) / "data_batch_1"
    for hostile in (Shell(tmp_path / "ran"), Import(), np.array([Shell(tmp_path / "ran")])):
        path.write_bytes(pickle.dumps({"data": hostile, "labels": [0]}, protocol=protocol))
        with pytest.raises(DataError, match="not allowed|holds no numbers"):
            load(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "no 'data'"),
        ({"data": b"raw", "labels": []}, "no 'data'"),
        ({"data": np.zeros((2, 3072)), "labels": [0, 1]}, "no 'data' of 8-bit"),
        ({"data": np.zeros((2, 100), np.uint8), "labels": [0, 1]}, "no 'data'"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [0]}, "no 'labels', one for each of 2"),
        ({"data": np.zeros((2, 3072), np.uint8)}, "no 'labels'"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [300]}, "image 0: label 300"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": ["a"]}, "image 0: label 'a'"),
    ],
)
def test_a_pickle_of_something_else_is_refused(
    tmp_path: Path, image_sets: SimpleNamespace, content: object, message: str
) -> None:
    path = image_sets.cifar10_python(tmp_path) / "data_batch_5"
    path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(DataError, match=message):
        load(tmp_path)


def test_labels_may_be_an_array(tmp_path: Path, image_sets: SimpleNamespace) -> None:
    path = image_sets.cifar10_python(tmp_path) / "test_batch"
    batch = {"data": np.zeros((3, 3072), np.uint8), "labels": np.array([3, 1, 2], ">i4")}
    path.write_bytes(pickle.dumps(batch))
    assert load(tmp_path).test.y.tolist() == [3, 1, 2]
