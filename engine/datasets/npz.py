"""Any `.npz` of arrays: x_train, y_train, x_test, y_test, and perhaps x_val and y_val.

Images are 8-bit [N, H, W], [N, H, W, C] or [N, C, H, W], as many pixels high as wide; labels are
whole numbers from 0. They are used at their size. `data.root` names the file or its folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, model_validator

from engine import dataspec, subsets
from engine.datasets import _folders, _image_files, _npy, _splits
from engine.description import Description
from engine.errors import DataError
from engine.images import Geometry, Splits

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

HOW = (
    "Save 8-bit images and their labels with numpy.savez_compressed(FILE, x_train=..., y_train=...,"
    " x_test=..., y_test=...), and let data.root name the file, or a folder that holds no other"
)
MAX_CLASSES = 10_000
MAX_SIDE = 1024
CHANNELS = 64


class Settings(dataspec.DataSettings):
    """How images are shown, and what their classes are called."""

    named_by_root: ClassVar[bool] = True

    classes: tuple[str, ...] = Field(
        (),
        max_length=MAX_CLASSES,
        description="class names in label order; their numbers if unset",
    )
    pad: _image_files.Pad = None
    flips: _image_files.Flips = ()
    mean: tuple[float, ...] = Field(
        (),
        max_length=CHANNELS,
        description="mean of each channel, in 0..1, that images are normalised by; measured on all"
        " of x_train if unset",
    )
    std: tuple[float, ...] = Field(
        (), max_length=CHANNELS, description="deviation of each channel, likewise"
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if len(self.mean) != len(self.std):
            raise ValueError("mean and std take one number for each channel, or leave both out")
        if any(value <= 0 for value in self.std):
            raise ValueError("std takes numbers above 0")
        return self


def describe(settings: Settings) -> Description:
    """Count the images by their labels and headers, without reading a pixel.

    Raises:
        DataError: the file is missing or damaged, or lacks an array, or one has no fitting shape.
    """
    file = _File.find(settings)
    lists = file.lists(settings)
    _, channels, size, _ = file.shape("train")
    return _splits.warned(subsets.describe(lists, settings, channels, size), file.notes(settings))


def load(settings: Settings) -> Splits:
    """Read the images and keep what is drawn.

    Raises:
        DataError: as in `describe`, or they take more memory than is free.
    """
    import numpy as np

    file = _File.find(settings)
    lists = file.lists(settings)
    pixels = {split: file.pixels(split) for split in file.splits}
    geometry = file.geometry(settings, pixels["train"])
    if file.merges(settings):
        pixels["train"] = np.concatenate([pixels["train"], pixels["val"]])
    named = {file.place(split): array for split, array in pixels.items()}
    read = _splits.of_arrays(named)
    return _splits.assemble(lists, settings, geometry, read, warnings=file.notes(settings))


@dataclass(frozen=True)
class _File:
    """An npz file whose arrays have shapes that fit together."""

    archive: _npy.Archive
    headers: Mapping[str, _npy.Header]

    @classmethod
    def find(cls, settings: Settings) -> _File:
        archive = _npy.Archive(_path(settings.root))
        file = cls(archive, archive.headers())
        needed = [f"{axis}_{split}" for split in file.splits for axis in "xy"]
        if lacking := [name for name in needed if name not in file.headers]:
            held = ", ".join(sorted(file.headers)[:10]) or "nothing"
            raise DataError(
                f"{archive.path} has no array of numbers {', '.join(lacking)}; it has {held}. {HOW}"
            )
        first = file.shape("train")
        for split in file.splits:
            if not file.shape(split)[0]:
                raise DataError(f"{file.place(split)} holds no image; save at least one")
            if file.shape(split)[1:] != first[1:]:
                raise DataError(
                    f"{file.place(split)} has images of another shape than x_train; save all alike"
                )
            file._check_labels(split)
        return file

    @property
    def splits(self) -> list[str]:
        """The splits that there are, or must be."""
        val = {"x_val", "y_val"} & {*self.headers}
        return ["train", "val", "test"] if val else ["train", "test"]

    def place(self, split: str) -> str:
        """What to call the images of a split in messages."""
        return f"x_{split} of {self.archive.path}"

    def shape(self, split: str) -> tuple[int, int, int, str]:
        """Images, channels, side in pixels, and the order of the axes.

        Raises:
            DataError: they are not 8-bit, not square, or their axes could be meant in two ways.
        """
        head, place = self.headers[f"x_{split}"], self.place(split)
        if head.kind != "u1":
            raise DataError(
                f"{place} holds numbers of type {head.kind}, not 8-bit ones (u1); save images that"
                " lie in 0..1 as (255 * x).round().astype('uint8')"
            )
        count, *sides = head.shape or (0,)
        if len(sides) == 2 and sides[0] == sides[1]:
            found = count, 1, sides[0], "NHW"
        elif len(sides) == 3 and sides[0] == sides[1] != sides[2]:
            found = count, sides[2], sides[0], "NHWC"
        elif len(sides) == 3 and sides[1] == sides[2] != sides[0]:
            found = count, sides[0], sides[1], "NCHW"
        else:
            raise DataError(
                f"{place} has the shape {head.shape}; save images as high as wide, [N, H, W],"
                " [N, H, W, C] or [N, C, H, W]"
            )
        if not 8 <= found[2] <= MAX_SIDE or not 1 <= found[1] <= CHANNELS:
            raise DataError(
                f"{place} has images of {found[2]} pixels and {found[1]} channels; possible are 8"
                f" to {MAX_SIDE} pixels and 1 to {CHANNELS} channels"
            )
        return found

    def _check_labels(self, split: str) -> None:
        head, count = self.headers[f"y_{split}"], self.shape(split)[0]
        if head.kind[0] not in "iu" or head.shape not in ((count,), (count, 1)):
            raise DataError(
                f"y_{split} of {self.archive.path} has type {head.kind} and shape {head.shape};"
                f" save a whole number from 0 for each of the {count} images"
            )

    def merges(self, settings: Settings) -> bool:
        """Whether the validation images belong to the training images, as they are not chosen."""
        return "val" in self.splits and settings.validation != "official"

    def notes(self, settings: Settings) -> list[str]:
        """What the user should know."""
        if not self.merges(settings):
            return []
        return [
            f"{self.place('val')} is trained on too; data.validation official validates on it"
            " instead"
        ]

    def lists(self, settings: Settings) -> subsets.Lists:
        """The images as lists, in the order of the arrays."""
        listings = {split: self._listing(split) for split in self.splits}
        train, val = listings["train"], listings.get("val")
        if val and self.merges(settings):
            ids, labels = [*train.ids, *val.ids], [*train.labels, *val.labels]
            train, val = subsets.Listing(train.source, ids, labels), None
        highest = max(train.labels, default=0)
        if highest >= MAX_CLASSES:
            raise DataError(
                f"y_train of {self.archive.path} has label {highest}; labels count from 0 to at"
                f" most {MAX_CLASSES - 1:,}"
            )
        classes = settings.classes or tuple(str(number) for number in range(highest + 1))
        return subsets.Lists(classes, train, listings["test"], val)

    def _listing(self, split: str) -> subsets.Listing:
        labels = self.archive.read(f"y_{split}").reshape(-1).tolist()
        ids = [f"{split}/{number:05d}" for number in range(len(labels))]
        return subsets.Listing(self.place(split), ids, labels)

    def pixels(self, split: str) -> Array:
        """uint8 [N, C, H, W]."""
        array, order = self.archive.read(f"x_{split}"), self.shape(split)[3]
        if order == "NHW":
            return array[:, None]
        return array.transpose(0, 3, 1, 2) if order == "NHWC" else array

    def geometry(self, settings: Settings, train: Array) -> Geometry:
        """What augmentation and normalisation need.

        Args:
            train: uint8 [N, C, H, W], to measure mean and deviation on where none are set.
        """
        _, channels, size, _ = self.shape("train")
        mean, std = settings.mean, settings.std
        if not mean:
            mean, std = _measured(train)
        if len(mean) != channels or not all(std):
            raise DataError(
                f"{self.place('train')} has {channels} channels, of which each needs a mean and a"
                " deviation above 0; set data.mean and data.std"
            )
        pad = size // 8 if settings.pad is None else settings.pad
        return Geometry(size, "pad", pad, settings.flips, mean, std)


def _measured(train: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel, in 0..1, from counts of the 256 values."""
    import numpy as np

    values, means, stds = np.arange(256) / 255, [], []
    for channel in range(train.shape[1]):
        counts = np.zeros(256, np.int64)
        for part in range(0, len(train), 1000):  # so that no copy of all is made
            part_of = train[part : part + 1000, channel]
            counts += np.bincount(part_of.reshape(-1), minlength=256)
        shares = counts / counts.sum()
        mean = float(shares @ values)
        means.append(mean)
        stds.append(float(shares @ (values - mean) ** 2) ** 0.5)
    return tuple(means), tuple(stds)


def _path(root: str) -> Path:
    """The file that `data.root` names, or the only one of its folder."""
    path = Path(root)
    if path.is_dir():
        files = sorted(path.glob("*.npz"))
        if len(files) > 1:
            several = ", ".join(file.name for file in files[:5])
            raise DataError(f"{path}/ holds {len(files)} npz files: {several}. {HOW}")
        if files:
            path = files[0]
    if path.suffix != ".npz" or not path.is_file():
        raise _folders.missing(root, "one .npz file", [Path(root)], HOW)
    return path
