"""Read CIFAR-10 and CIFAR-100 (Krizhevsky 2009) from the official python or binary files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import dataspec, subsets
from engine.datasets import _folders, _pickles, _splits
from engine.description import Description
from engine.errors import DataError
from engine.images import Geometry, Splits

if TYPE_CHECKING:
    import numpy as np

    Bytes = np.ndarray[Any, np.dtype[np.uint8]]

PIXELS = 3 * 32 * 32
SPLITS = ("training", "test")


@dataclass(frozen=True)
class Source:
    """What sets one of the two apart.

    Attributes:
        classes: class names in label order.
        geometry: what augmentation and normalisation need.
        names: folder names that the archives unpack to.
        marks: files that only its folders hold: of the python layout, then of the binary one.
        train: names of the training files; the binary ones end in .bin too.
        test: name of the test file.
        labels: bytes of labels before an image's pixels in a binary file; the last one is used.
        key: what the labels are called in a python file.
        how: how to get the set, for messages.
        md5: of each python file.
        sums: per split, the SHA-256 of all labels in official order, where it is known.
        means: per split, the published mean of each channel, in 0..1.
    """

    classes: tuple[str, ...]
    geometry: Geometry
    names: tuple[str, ...]
    marks: tuple[str, str]
    train: tuple[str, ...]
    test: str
    labels: int
    key: str
    how: str
    md5: Mapping[str, str]
    sums: Mapping[str, str]
    means: Mapping[str, tuple[float, ...]]

    @property
    def record(self) -> int:
        """Bytes of an image in a binary file, with its labels."""
        return self.labels + PIXELS


def describe(settings: dataspec.DataSettings, source: Source) -> Description:
    """Count the images by their labels.

    Raises:
        DataError: files are missing, truncated or damaged; the message says what to put where.
    """
    files = _Files.find(settings.root, source)
    lists = files.lists(_labels(files.train, source), _labels((files.test,), source))
    return subsets.describe(lists, settings, channels=3, size=source.geometry.size)


def load(settings: dataspec.DataSettings, source: Source) -> Splits:
    """Read all files and keep what is drawn.

    Raises:
        DataError: as in `describe`.
    """
    files = _Files.find(settings.root, source)
    train, test = _records(files.train, source), _records((files.test,), source)
    lists = files.lists(train[:, 0].tolist(), test[:, 0].tolist())
    size = source.geometry.size
    read = _splits.of_arrays(
        {
            lists.train.source: train[:, 1:].reshape(-1, 3, size, size),
            lists.test.source: test[:, 1:].reshape(-1, 3, size, size),
        }
    )
    notes = files.differences({"training": train, "test": test})
    return _splits.assemble(lists, settings, source.geometry, read, warnings=notes)


@dataclass(frozen=True)
class _Files:
    """The files of one layout."""

    source: Source
    folder: Path
    train: tuple[Path, ...]
    test: Path

    @classmethod
    def find(cls, root: str, source: Source) -> _Files:
        folder = _folders.find(root, source.names, source.marks, source.how)
        suffix = "" if (folder / source.marks[0]).exists() else ".bin"
        train = tuple(folder / f"{name}{suffix}" for name in source.train)
        files = cls(source, folder, train, folder / f"{source.test}{suffix}")
        missing = [path.name for path in (*train, files.test) if not path.is_file()]
        if missing:
            raise DataError(f"{folder} lacks {', '.join(missing)}. {source.how}")
        return files

    def lists(self, train: Sequence[int], test: Sequence[int]) -> subsets.Lists:
        """The images as lists, in the order of the files."""
        place = self.train[0] if len(self.train) == 1 else f"{self.folder}/data_batch_*"
        return subsets.Lists(
            self.source.classes,
            subsets.Listing(str(place), [f"train/{i:05d}" for i in range(len(train))], train),
            subsets.Listing(str(self.test), [f"test/{i:05d}" for i in range(len(test))], test),
        )

    def differences(self, records: Mapping[str, Bytes]) -> list[str]:
        """What sets these files apart from the official ones."""
        found = self._changed() if not self.test.suffix else self._others(records)
        return [
            f"{self.folder}: {one}; accuracies may not compare with published ones" for one in found
        ]

    def _changed(self) -> list[str]:
        md5 = self.source.md5
        paths = (*self.train, self.test)
        other = [p.name for p in paths if hashlib.md5(p.read_bytes()).hexdigest() != md5[p.name]]
        if not other:
            return []
        return [f"the checksum of {', '.join(other)} is not that of the official file"]

    def _others(self, records: Mapping[str, Bytes]) -> list[str]:
        """Of the binary files no checksums are published, but facts that both layouts share."""
        found = []
        for split in SPLITS:
            labels = hashlib.sha256(records[split][:, 0].tobytes()).hexdigest()
            if self.source.sums.get(split, labels) != labels:
                found.append(f"number or order of the {split} images is not the official one")
            elif not _close(records[split], self.source.means[split]):
                found.append(f"the {split} images are not, pixel for pixel, the official ones")
        return found


def _labels(paths: Sequence[Path], source: Source) -> list[int]:
    """The labels alone; of a binary file, one byte in each record."""
    if not paths[0].suffix:
        labels: list[int] = _records(paths, source)[:, 0].tolist()
        return labels
    found, step = bytearray(), source.record
    for path in paths:
        with _open(path) as file:
            handle, places = file.fileno(), range(source.labels - 1, _size(path, source), step)
            found += b"".join(os.pread(handle, 1, at) for at in places)
    return list(found)


def _records(paths: Sequence[Path], source: Source) -> Bytes:
    """uint8 [N, 3073]: a label, then the red, green and blue planes in row-major order."""
    import numpy as np

    one = _binary if paths[0].suffix else _pickled
    return np.concatenate([one(path, source) for path in paths])


def _binary(path: Path, source: Source) -> Bytes:
    import numpy as np

    size = _size(path, source)
    with _open(path) as file:
        whole = np.fromfile(file, np.uint8, size).reshape(-1, source.record)
    return whole[:, source.labels - 1 :]


def _pickled(path: Path, source: Source) -> Bytes:
    import numpy as np

    content = _pickles.read(path)
    content = content if isinstance(content, dict) else {}
    data, labels = (content.get(key, content.get(key.encode())) for key in ("data", source.key))
    pixels: np.ndarray[Any, Any] = data.values if isinstance(data, _pickles.Array) else np.empty(0)
    labels = labels.values.tolist() if isinstance(labels, _pickles.Array) else labels
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != PIXELS:
        raise DataError(f"{path} has no 'data' of 8-bit values, 3,072 to an image. {source.how}")
    if not isinstance(labels, list) or len(labels) != len(pixels):
        raise DataError(
            f"{path} has no '{source.key}', one for each of {len(pixels)} images. {source.how}"
        )
    for position, label in enumerate(labels):
        if not isinstance(label, int) or not 0 <= label < len(source.classes):
            last = len(source.classes) - 1
            raise DataError(f"{path}, image {position}: label {label!r} is none of 0 to {last}")
    records = np.empty((len(pixels), 1 + PIXELS), np.uint8)
    records[:, 0], records[:, 1:] = labels, pixels
    return records


def _size(path: Path, source: Source) -> int:
    size, record = path.stat().st_size, source.record
    if not size or size % record:
        whole = f"{record * 50_000 // len(source.train):,}"
        raise DataError(
            f"{path} is truncated: {size} bytes are no whole number of images ({record} bytes"
            f" each; the official training file has {whole}). Unpack the archive again"
        )
    return size


def _open(path: Path) -> Any:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _close(records: Bytes, means: tuple[float, ...]) -> bool:
    import numpy as np

    sums = records[:, 1:].sum(axis=0, dtype=np.int64).reshape(3, -1).sum(axis=1)
    measured = sums / (len(records) * PIXELS // 3 * 255)
    return bool(np.allclose(measured, means, rtol=0, atol=1e-6))
