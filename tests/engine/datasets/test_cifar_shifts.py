"""CIFAR-10.2 and CIFAR-10-C, at their full counts but nearly empty."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine import corruptions
from engine.datasets import _cifar_shifts
from engine.errors import DataError

NOISE = np.random.default_rng(0)


def save_10_2(folder: Path, form: str = "cifar102_{}.npz", **arrays: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    for split, count in (("train", 20), ("test", 4)):
        whole = {
            "images": NOISE.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8),
            "labels": np.arange(count) % 10,
            "label_names": np.array(["airplane", None], object),
        }
        np.savez(folder / form.format(split), **{**whole, **arrays})


@pytest.mark.parametrize("form", ["cifar102_{}.npz", "{}.npz"])
def test_10_2_is_both_of_its_parts(tmp_path: Path, form: str) -> None:
    save_10_2(tmp_path / "cifar-10.2", form)
    images = _cifar_shifts.cifar10_2(str(tmp_path))
    raw = np.load(tmp_path / "cifar-10.2" / form.format("test"))["images"]
    assert images.x.shape == (24, 3, 32, 32) and images.x.is_contiguous()
    assert images.y.tolist() == [*range(10), *range(10), 0, 1, 2, 3]
    assert images.x[23, 2, 5, 7] == raw[3, 5, 7, 2]
    assert (images.ids[0], images.ids[23], images.classes[3]) == (
        "train/00000",
        "test/00003",
        "cat",
    )


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((20, 32, 32, 3))}, "holds no 8-bit images of 32 x 32"),
        ({"images": np.zeros((20, 3, 32, 32), np.uint8)}, "holds no 8-bit images of 32 x 32"),
        ({"labels": np.arange(3)}, "has no label for each of its 20"),
        ({"labels": np.arange(20)}, "has labels other than 0 to 9"),
        ({"labels": np.array([None] * 20)}, "has no array labels"),
    ],
)
def test_other_arrays_are_named(tmp_path: Path, arrays: dict, message: str) -> None:
    save_10_2(tmp_path, **arrays)
    with pytest.raises(DataError, match=f"cifar102_train.npz {message}.*Download"):
        _cifar_shifts.cifar10_2(str(tmp_path))


def test_missing_parts_of_10_2_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="looked for cifar102_train.npz or train.npz"):
        _cifar_shifts.cifar10_2(str(tmp_path))
    save_10_2(tmp_path)
    (tmp_path / "cifar102_test.npz").unlink()
    with pytest.raises(DataError, match="lacks cifar102_test.npz or test.npz. Download"):
        _cifar_shifts.cifar10_2(str(tmp_path))


@pytest.fixture
def corrupted(tmp_path: Path) -> Path:
    """50,000 images of fog, black but for one in each severity: files with holes, nearly free."""
    folder = tmp_path / "CIFAR-10-C"
    folder.mkdir()
    fog = np.lib.format.open_memmap(folder / "fog.npy", "w+", np.uint8, (50_000, 32, 32, 3))
    for severity in range(5):
        fog[severity * 10_000 + 17, 1, 2] = [severity, 50, 60]
    labels = np.tile(np.arange(10_000) % 10, 5)
    np.save(folder / "labels.npy", labels)
    return folder


def test_a_severity_is_its_own_block(corrupted: Path) -> None:
    for severity in (1, 5):
        images = _cifar_shifts.cifar10_c(str(corrupted.parent), "fog", severity)
        assert images.x.shape == (10_000, 3, 32, 32) and images.x.is_contiguous()
        assert images.x[17, :, 1, 2].tolist() == [severity - 1, 50, 60]
        assert int(images.x.count_nonzero()) == 2 + (severity > 1)
        assert torch.equal(images.y, torch.arange(10_000) % 10)
        assert images.ids[17] == f"fog/{severity}/00017"


def test_there_are_19_corruptions_of_5_severities(corrupted: Path) -> None:
    assert len({*corruptions.NAMES}) == 19
    assert [len(group) for group in corruptions.GROUPS.values()] == [3, 4, 4, 4, 4]
    for corruption, severity in (("mist", 1), ("fog", 0), ("fog", 6), ("../fog", 1)):
        with pytest.raises(ValueError, match="no corruption|none of 1 to 5"):
            _cifar_shifts.cifar10_c(str(corrupted), corruption, severity)


def test_damaged_blocks_are_named(corrupted: Path) -> None:
    with pytest.raises(DataError, match="snow.npy is missing"):
        _cifar_shifts.cifar10_c(str(corrupted), "snow", 1)
    np.save(corrupted / "snow.npy", np.zeros((10_000, 32, 32, 3), np.uint8))
    with pytest.raises(DataError, match="snow.npy has 10000 rows instead of 50,000. Download"):
        _cifar_shifts.cifar10_c(str(corrupted), "snow", 1)
    np.save(corrupted / "snow.npy", np.array([None, 1]), allow_pickle=True)
    with pytest.raises(DataError, match="snow.npy is damaged"):
        _cifar_shifts.cifar10_c(str(corrupted), "snow", 1)
    with (corrupted / "fog.npy").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(DataError, match="fog.npy is damaged .*its 1000 bytes"):
        _cifar_shifts.cifar10_c(str(corrupted), "fog", 1)
