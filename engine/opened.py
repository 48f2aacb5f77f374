"""Data sets opened to be looked at, image by image, as their settings draw from them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from engine import subsets
from engine.datasets import _decode
from engine.datasets._image_files import FileSettings, Listed
from engine.dataspec import DataSettings
from engine.errors import DataError
from engine.images import Batch, Images, Splits
from engine.lazy import torch
from engine.registry import load

if TYPE_CHECKING:
    from PIL.Image import Image

VISIBLE = {13: (3, 2, 1)}  # bands shown as red, green and blue: B04, B03, B02 of Sentinel-2


@dataclass(frozen=True)
class Split:
    """Images of a split: their ids, and their labels as they are trained or tested."""

    ids: Sequence[str]
    labels: Sequence[int]


@dataclass(frozen=True)
class Look:
    """What an image turned out to be.

    Attributes:
        size: width and height in pixels; None where it cannot be read.
        mode: of its pixels, as Pillow calls it, or the number of bands.
        digest: of its content.
        error: why it cannot be read, and where it is.
    """

    size: tuple[int, int] | None
    mode: str
    digest: bytes
    error: str = ""


class Opened(Protocol):
    """A data set.

    Attributes:
        classes: class names, in label order.
        splits: train, val where there is one, and test.
        warnings: what the user should know.
    """

    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    warnings: Sequence[str]

    def looks(self, split: str) -> Iterable[Look]:
        """What each image of a split is, in their order; all of it is read."""

    def picture(self, split: str, position: int) -> Image:
        """An image in colour, as it is stored.

        Raises:
            DataError: it cannot be read.
        """

    def batch(self, positions: Sequence[int]) -> Batch:
        """Training images, as augmentations get them.

        Raises:
            DataError: one cannot be read.
        """


def open_set(settings: DataSettings) -> Opened:
    """Open a data set: its lists alone where it consists of image files.

    Raises:
        DataError: it is not there, or is not as its data set should be.
    """
    module = load("datasets", settings.name)
    if hasattr(module, "listed"):
        assert isinstance(settings, FileSettings)
        return FileSet(settings, module.listed(settings))
    return ArraySet(module.load(settings))


class FileSet:
    """A data set of image files."""

    def __init__(self, settings: FileSettings, listed: Listed) -> None:
        lists, drawn = listed.lists, subsets.draw(listed.lists, settings)
        self._settings, self._listed = settings, listed
        self.classes = lists.classes
        self.warnings: Sequence[str] = (*listed.warnings, *drawn.warnings)
        held = drawn.held
        splits = {
            "train": Split([lists.train.ids[n] for n in drawn.train], drawn.labels),
            "val": Split([held.ids[n] for n in drawn.val], [held.labels[n] for n in drawn.val]),
            "test": Split(lists.test.ids, lists.test.labels),
        }
        self.splits: Mapping[str, Split] = {name: one for name, one in splits.items() if one.ids}

    def looks(self, split: str) -> Iterable[Look]:
        """See `Opened`; several are read at once."""
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            yield from pool.map(self._look, self.splits[split].ids)

    def _look(self, name: str) -> Look:
        path = self._listed.paths[name]
        try:
            image, mode = _decode.picture(path)
            with path.open("rb") as file:
                return Look(image.size, mode, hashlib.file_digest(file, "md5").digest())
        except (DataError, OSError) as error:
            return Look(None, "", b"", str(error))

    def picture(self, split: str, position: int) -> Image:
        """See `Opened`."""
        return _decode.picture(self._listed.paths[self.splits[split].ids[position]])[0]

    def batch(self, positions: Sequence[int]) -> Batch:
        """See `Opened`."""
        settings = self._settings
        paths = [self._listed.paths[self.splits["train"].ids[n]] for n in positions]
        larger = settings.crop == "pad"
        x, boxes = _decode.whole(paths, settings.channels, settings.stored, larger, settings.aspect)
        return Batch(x, boxes, settings.geometry)


class ArraySet:
    """A data set that is kept in arrays, and so loaded as a whole."""

    def __init__(self, splits: Splits) -> None:
        self._geometry = splits.geometry
        named = {"train": splits.train, "val": splits.val, "test": splits.test}
        self._images: dict[str, Images] = {name: one for name, one in named.items() if one}
        self.classes = splits.train.classes
        self.warnings: Sequence[str] = splits.warnings
        self.splits: Mapping[str, Split] = {
            name: Split(one.ids, one.y.tolist()) for name, one in self._images.items()
        }

    def looks(self, split: str) -> Iterable[Look]:
        """See `Opened`."""
        x = self._images[split].x.numpy()
        bands, height, width = x.shape[1:]
        mode = {1: "L", 3: "RGB"}.get(bands, f"{bands} bands")
        for pixels in x:
            yield Look((width, height), mode, hashlib.md5(pixels.tobytes()).digest())

    def picture(self, split: str, position: int) -> Image:
        """See `Opened`."""
        return shown(self._images[split].x[position].numpy())

    def batch(self, positions: Sequence[int]) -> Batch:
        """See `Opened`."""
        return self._images["train"].batch(torch.tensor(positions), self._geometry)


def shown(pixels: Any) -> Image:
    """An array as an image in colour: its only band, or three of them.

    Args:
        pixels: uint8 [C, H, W].
    """
    from PIL import Image

    count = len(pixels)
    bands = VISIBLE.get(count, (0, 1, 2) if count > 2 else (0, 0, 0))
    return Image.fromarray(pixels[list(bands)].transpose(1, 2, 0).copy())
