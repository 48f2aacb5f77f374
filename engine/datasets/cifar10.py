"""CIFAR-10 (Krizhevsky 2009), from the official python or binary files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import plugin, subsets
from engine.datasets import _folders, _pickles
from engine.description import Description
from engine.errors import DataError
from engine.images import Geometry, Images, Splits
from engine.lazy import torch

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]

CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
GEOMETRY = Geometry(
    size=32,
    crop="pad",
    pad=4,
    flips=("horizontal",),
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2023, 0.1994, 0.2010),
)
HOW = (
    "Download https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz (or"
    " cifar-10-binary.tar.gz), unpack it there, and let data.root name the folder"
    " cifar-10-batches-py (or cifar-10-batches-bin) or the one above"
)
PIXELS = 3 * 32 * 32
RECORD = 1 + PIXELS

# The archives are known by MD5 per file in the python layout only. The binary files are judged by
# what both layouts share: the order of the labels, and the mean of each channel, which several
# projects publish to eight digits.
MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
LABELS = {
    "training": "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
    "test": "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
}
MEANS = {
    "training": (0.49139968, 0.48215841, 0.44653091),
    "test": (0.49421428, 0.48513139, 0.45040909),
}


class Settings(plugin.DataSettings):
    """Nothing of its own."""


def describe(settings: Settings) -> Description:
    """Count the images by their labels.

    Raises:
        DataError: files are missing, truncated or damaged; the message says what to put where.
    """
    files = _files(settings.root)
    lists = _lists(_labels(files.train), _labels(files.test), files)
    return subsets.describe(lists, settings, channels=3, size=GEOMETRY.size)


def load(settings: Settings) -> Splits:
    """Read all batches and keep what is drawn.

    Raises:
        DataError: as in `describe`.
    """
    files = _files(settings.root)
    train, test = _records(files.train), _records(files.test)
    lists = _lists(train[:, 0].tolist(), test[:, 0].tolist(), files)
    drawn = subsets.draw(lists, settings)
    chosen = _images(train, lists.train, drawn.train)
    val = _images(train, lists.train, drawn.val) if drawn.val else None
    return Splits(
        train=chosen,
        val=val,
        test=_images(test, lists.test, range(len(test))),
        geometry=GEOMETRY,
        subset=subsets.Subset(chosen.ids, val.ids if val else ()),
        warnings=(*drawn.warnings, *_differences(files, train, test)),
    )


@dataclass(frozen=True)
class _Files:
    """The batch files of one layout."""

    folder: Path
    train: tuple[Path, ...]
    test: tuple[Path, ...]

    @property
    def binary(self) -> bool:
        return self.test[0].suffix == ".bin"


def _files(root: str) -> _Files:
    names = ("cifar-10-batches-py", "cifar-10-batches-bin")
    folder = _folders.find(root, names, ("data_batch_1", "data_batch_1.bin"), HOW)
    suffix = "" if (folder / "data_batch_1").exists() else ".bin"
    train = tuple(folder / f"data_batch_{number}{suffix}" for number in range(1, 6))
    files = _Files(folder, train, (folder / f"test_batch{suffix}",))
    missing = [path.name for path in (*files.train, *files.test) if not path.is_file()]
    if missing:
        raise DataError(f"{folder} lacks {', '.join(missing)}. {HOW}")
    return files


def _lists(train: Sequence[int], test: Sequence[int], files: _Files) -> subsets.Lists:
    return subsets.Lists(
        classes=CLASSES,
        train=subsets.Listing(
            f"{files.folder}/data_batch_*", [f"train/{i:05d}" for i in range(len(train))], train
        ),
        test=subsets.Listing(str(files.test[0]), [f"test/{i:05d}" for i in range(len(test))], test),
    )


def _labels(paths: Sequence[Path]) -> list[int]:
    """The labels alone; of a binary file, one byte in each record."""
    if not paths[0].suffix:
        labels: list[int] = _records(paths)[:, 0].tolist()
        return labels
    found = bytearray()
    for path in paths:
        with _open(path) as file:
            handle = file.fileno()
            found += b"".join(os.pread(handle, 1, at) for at in range(0, _size(path), RECORD))
    return list(found)


def _records(paths: Sequence[Path]) -> Bytes:
    """uint8 [N, 3073]: a label, then the red, green and blue planes in row-major order."""
    import numpy as np

    if paths[0].suffix:
        parts = [_binary(path) for path in paths]
    else:
        parts = [_pickled(path) for path in paths]
    return np.concatenate(parts)


def _binary(path: Path) -> Bytes:
    import numpy as np

    size = _size(path)
    with _open(path) as file:
        return np.fromfile(file, np.uint8, size).reshape(-1, RECORD)


def _pickled(path: Path) -> Bytes:
    import numpy as np

    content = _pickles.read(path)
    content = content if isinstance(content, dict) else {}
    data, labels = (content.get(key, content.get(key.encode())) for key in ("data", "labels"))
    pixels: np.ndarray[Any, Any] = data.values if isinstance(data, _pickles.Array) else np.empty(0)
    labels = labels.values.tolist() if isinstance(labels, _pickles.Array) else labels
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != PIXELS:
        raise DataError(f"{path} has no 'data' of 8-bit values, 3,072 to an image. {HOW}")
    if not isinstance(labels, list) or len(labels) != len(pixels):
        raise DataError(f"{path} has no 'labels', one for each of {len(pixels)} images. {HOW}")
    for position, label in enumerate(labels):
        if not isinstance(label, int) or not 0 <= label < len(CLASSES):
            raise DataError(f"{path}, image {position}: label {label!r} is none of 0 to 9")
    records = np.empty((len(pixels), RECORD), np.uint8)
    records[:, 0], records[:, 1:] = labels, pixels
    return records


def _size(path: Path) -> int:
    size = path.stat().st_size
    if not size or size % RECORD:
        raise DataError(
            f"{path} is truncated: {size} bytes are no whole number of images ({RECORD} bytes"
            " each; the official file has 30,730,000). Unpack the archive again"
        )
    return size


def _open(path: Path) -> Any:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _images(records: Bytes, listing: subsets.Listing, positions: Sequence[int]) -> Images:
    import numpy as np

    where = np.asarray(positions)
    pixels = records[where, 1:].reshape(-1, 3, GEOMETRY.size, GEOMETRY.size)
    return Images(
        x=torch.from_numpy(pixels),
        y=torch.from_numpy(records[where, 0].astype(np.int64)),
        ids=tuple(listing.ids[position] for position in positions),
        classes=CLASSES,
    )


def _differences(files: _Files, train: Bytes, test: Bytes) -> list[str]:
    """What sets these files apart from the official ones."""
    found = []
    if not files.binary:
        paths = (*files.train, *files.test)
        other = [p.name for p in paths if hashlib.md5(p.read_bytes()).hexdigest() != MD5[p.name]]
        if other:
            found.append(f"the checksum of {', '.join(other)} is not that of the official file")
    else:
        for split, records in (("training", train), ("test", test)):
            if hashlib.sha256(records[:, 0].tobytes()).hexdigest() != LABELS[split]:
                found.append(f"number or order of the {split} images is not the official one")
            elif not _close(records, MEANS[split]):
                found.append(f"the {split} images are not, pixel for pixel, the official ones")
    return [
        f"{files.folder}: {one}; accuracies may not compare with published ones" for one in found
    ]


def _close(records: Bytes, means: tuple[float, ...]) -> bool:
    import numpy as np

    sums = records[:, 1:].sum(axis=0, dtype=np.int64).reshape(3, -1).sum(axis=1)
    measured = sums / (len(records) * PIXELS // 3 * 255)
    return bool(np.allclose(measured, means, rtol=0, atol=1e-6))
