"""Other images of CIFAR-10's classes to evaluate on, never to train: CIFAR-10.2 and CIFAR-10-C."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import corruptions
from engine.datasets import _folders, _npy, cifar10
from engine.errors import DataError
from engine.images import Images
from engine.lazy import torch

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

CLASSES = cifar10.SOURCE.classes
IMAGE = (32, 32, 3)
HOW_10_2 = (
    "Download cifar102_train.npz and cifar102_test.npz from"
    " https://github.com/modestyachts/cifar-10.2 into a folder cifar-10.2"
    "; or let `lthtui data get cifar10_2` do that"
)
HOW_C = (
    "Download https://zenodo.org/records/2535967/files/CIFAR-10-C.tar and unpack it there"
    "; or let `lthtui data get cifar10_c` do that"
)
PER_SEVERITY = 10_000


def cifar10_2(root: str) -> Images:
    """CIFAR-10.2 (Lu et al. 2020): its training and its test images, 12,000 together.

    Args:
        root: the folder of the two files, or the one above.

    Raises:
        DataError: a file is missing, damaged, or holds something else.
    """
    import numpy as np

    names = ("cifar-10.2", "cifar10.2", "CIFAR-10.2", "cifar102")
    spellings = {split: (f"cifar102_{split}.npz", f"{split}.npz") for split in ("train", "test")}
    folder = _folders.find(root, names, spellings["train"], HOW_10_2)
    x, y, ids = [], [], []
    for split, files in spellings.items():
        found = [folder / name for name in files if (folder / name).is_file()]
        if not found:
            raise DataError(f"{folder} lacks {' or '.join(files)}. {HOW_10_2}")
        archive = _npy.Archive(found[0])
        if lacking := {"images", "labels"} - {*archive.headers()}:
            raise DataError(f"{found[0]} has no array {', '.join(sorted(lacking))}. {HOW_10_2}")
        images, labels = archive.read("images"), archive.read("labels")
        _check(images, labels, str(found[0]), HOW_10_2)
        x.append(images)
        y.append(labels)
        ids += [f"{split}/{number:05d}" for number in range(len(images))]
    return _images(np.concatenate(x), np.concatenate(y), ids)


def cifar10_c(root: str, corruption: str, severity: int) -> Images:
    """CIFAR-10-C (Hendrycks & Dietterich 2019): the 10,000 test images, each corrupted alike.

    Args:
        root: the folder CIFAR-10-C, or the one above.
        corruption: a name of `engine.corruptions`.
        severity: 1 to 5.

    Raises:
        DataError: a file is missing, damaged, or holds something else.
        ValueError: there is no such corruption or severity.
    """
    if corruption not in corruptions.NAMES:
        raise ValueError(f"'{corruption}' is no corruption of CIFAR-10-C")
    if severity not in corruptions.SEVERITIES:
        raise ValueError(f"severity {severity} is none of 1 to 5")
    folder = _folders.find(root, ("CIFAR-10-C", "cifar-10-c"), ("labels.npy",), HOW_C)
    part = slice((severity - 1) * PER_SEVERITY, severity * PER_SEVERITY)
    x, y = (_block(folder / f"{name}.npy", part) for name in (corruption, "labels"))
    _check(x, y, f"{folder / corruption}.npy", HOW_C)
    ids = [f"{corruption}/{severity}/{number:05d}" for number in range(len(x))]
    return _images(x, y, ids)


def _block(path: Path, part: slice) -> Array:
    """The images or labels of one severity, without reading the others."""
    whole = _npy.mapped(path)
    if len(whole) != PER_SEVERITY * len(corruptions.SEVERITIES):
        raise DataError(f"{path} has {len(whole)} rows instead of 50,000. {HOW_C}")
    return whole[part]


def _check(x: Array, y: Array, place: str, how: str) -> None:
    if x.dtype.str != "|u1" or x.shape[1:] != IMAGE or not len(x):
        raise DataError(f"{place} holds no 8-bit images of 32 x 32 pixels in colour. {how}")
    if y.dtype.kind not in "iu" or y.shape != x.shape[:1]:
        raise DataError(f"{place} has no label for each of its {len(x)} images. {how}")
    if not 0 <= y.min() <= y.max() < len(CLASSES):
        raise DataError(f"{place} has labels other than 0 to {len(CLASSES) - 1}. {how}")


def _images(x: Array, y: Array, ids: list[str]) -> Images:
    import numpy as np

    pixels = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    return Images(
        torch.from_numpy(pixels), torch.from_numpy(y.astype(np.int64)), tuple(ids), CLASSES
    )
