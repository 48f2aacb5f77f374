"""Read images and labels in the idx files of MNIST, plain or gzipped, as sets that look like it."""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from engine import dataspec, subsets
from engine.datasets import _folders, _memory, _splits
from engine.description import Description
from engine.errors import DataError
from engine.images import Geometry, Splits

if TYPE_CHECKING:
    import numpy as np

SIDE = 28
BYTES = 0x08  # an idx file begins with the code of its numbers, and how many dimensions they have
HEAD = {"x": 16, "y": 8}
STEMS = {
    "train_x": "train-images-idx3-ubyte",
    "train_y": "train-labels-idx1-ubyte",
    "test_x": "t10k-images-idx3-ubyte",
    "test_y": "t10k-labels-idx1-ubyte",
}


@dataclass(frozen=True)
class Source:
    """What sets one of these sets apart.

    Attributes:
        classes: class names in label order.
        geometry: what augmentation and normalisation need.
        names: folders below `data.root` to look in.
        how: how to get the set, for messages.
        md5: of each file, once unzipped, by its key in `STEMS`.
    """

    classes: tuple[str, ...]
    geometry: Geometry
    names: tuple[str, ...]
    how: str
    md5: Mapping[str, str]


def describe(settings: dataspec.DataSettings, source: Source) -> Description:
    """Count the images by their labels and headers.

    Raises:
        DataError: files are missing, damaged, or do not belong together.
    """
    files = _Files.find(settings.root, source)
    return subsets.describe(files.lists(), settings, channels=1, size=SIDE)


def load(settings: dataspec.DataSettings, source: Source) -> Splits:
    """Read all images and keep what is drawn.

    Raises:
        DataError: as in `describe`.
    """
    files = _Files.find(settings.root, source)
    lists = files.lists()
    content = {key: files.read(key) for key in STEMS}
    pixels = {
        listing.source: _pixels(content[key])
        for key, listing in (("train_x", lists.train), ("test_x", lists.test))
    }
    return _splits.assemble(
        lists,
        settings,
        source.geometry,
        _splits.of_arrays(pixels),
        warnings=files.differences(content),
    )


@dataclass(frozen=True)
class _Files:
    """The four files of a set, by their keys in `STEMS`."""

    source: Source
    folder: Path
    paths: Mapping[str, Path]

    @classmethod
    def find(cls, root: str, source: Source) -> _Files:
        folder = _folders.find(root, source.names, _spellings(STEMS["train_x"]), source.how)
        paths = {}
        for key, stem in STEMS.items():
            found = [folder / name for name in _spellings(stem) if (folder / name).is_file()]
            if not found:
                raise DataError(f"{folder} lacks {stem} (or {stem}.gz). {source.how}")
            paths[key] = found[0]
        return cls(source, folder, paths)

    def lists(self) -> subsets.Lists:
        """The images as lists, in the order of the files."""
        return subsets.Lists(self.source.classes, self._listing("train"), self._listing("test"))

    def _listing(self, split: str) -> subsets.Listing:
        labels = self.read(f"{split}_y")[HEAD["y"] :]
        images = self.paths[f"{split}_x"]
        with self._opened(images) as stream:
            count = self._count(images, stream.read(HEAD["x"]), "x")
        if count != len(labels):
            raise DataError(
                f"{images} has {count} images, and {self.paths[f'{split}_y']} {len(labels)}"
                f" labels: they do not belong together. {self.source.how}"
            )
        ids = [f"{split}/{number:05d}" for number in range(count)]
        return subsets.Listing(str(images), ids, list(labels))

    def read(self, key: str) -> bytes:
        """The whole content of a file: as long as its header says, or it is damaged."""
        path, kind = self.paths[key], key[-1]
        with self._opened(path) as stream:
            head = stream.read(HEAD[kind])
            wanted = self._count(path, head, kind) * (SIDE * SIDE if kind == "x" else 1)
            _memory.check(wanted, str(path), f"is it the right file? {self.source.how}")
            body = stream.read(wanted + 1)
        if len(body) != wanted:
            amount = "less" if len(body) < wanted else "more"
            raise DataError(
                f"{path} is damaged: it has {amount} than the {wanted:,} bytes that its header"
                f" says. {self.source.how}"
            )
        return head + body

    def _count(self, path: Path, head: bytes, kind: str) -> int:
        """Images or labels in a file, by its header."""
        shape = (SIDE, SIDE) if kind == "x" else ()
        try:
            magic, count, *sides = struct.unpack(f">{2 + len(shape)}I", head)
        except struct.error:
            magic, count, sides = 0, 0, []
        if magic != BYTES << 8 | 1 + len(shape) or tuple(sides) != shape:
            what = f"images of {SIDE} x {SIDE} pixels" if shape else "labels"
            raise DataError(f"{path} is no idx file of {what}. {self.source.how}")
        return int(count)

    @contextmanager
    def _opened(self, path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
        try:
            with path.open("rb") as file:
                yield gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path}: cannot be read ({error}). {self.source.how}") from None

    def differences(self, content: Mapping[str, bytes]) -> list[str]:
        """What sets these files apart from the official ones."""
        md5 = self.source.md5
        other = [
            self.paths[key].name
            for key, found in content.items()
            if hashlib.md5(found).hexdigest() != md5[key]
        ]
        if not other:
            return []
        return [
            f"{self.folder}: the content of {', '.join(other)} is not the official one; accuracies"
            " may not compare with published ones"
        ]


def _spellings(stem: str) -> list[str]:
    """How the archives and what unpacks them call a file."""
    dotted = stem.replace("-idx", ".idx")
    return [stem, dotted, f"{stem}.gz", f"{dotted}.gz"]


def _pixels(content: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """uint8 [N, 1, 28, 28]."""
    import numpy as np

    return np.frombuffer(content, np.uint8, offset=HEAD["x"]).reshape(-1, 1, SIDE, SIDE)
