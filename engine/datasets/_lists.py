"""Image sets described by list files: imgs/** beside train, val, trainval and test .txt."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from engine import plugin, subsets
from engine.datasets import _decode, _folders
from engine.description import Description
from engine.errors import DataError
from engine.images import CENTRE, Flip, Geometry, Images, Splits
from engine.lazy import torch

NORMALISE = {
    ("imagenet", 3): ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ("imagenet", 1): ((0.449,), (0.226,)),
    ("half", 3): ((0.5,) * 3, (0.5,) * 3),
    ("half", 1): ((0.5,), (0.5,)),
}

Size = Annotated[
    int, Field(ge=8, le=1024, description="side in pixels of the square that the network sees")
]
Crop = Annotated[
    Literal["resized", "pad"],
    Field(
        description="training crops: resized parts of the image (tests show the central 7/8), or"
        " shifts over a black border"
    ),
]
Pad = Annotated[
    int | None,
    Field(ge=0, le=256, description="largest shift in pixels, with crop pad; size / 8 if unset"),
]
Flips = Annotated[
    tuple[Flip, ...],
    Field(max_length=2, description="mirror images that are as good: horizontal, vertical"),
]


class ListSettings(plugin.DataSettings):
    """How images are stored and shown."""

    size: Size = 224
    store: int | None = Field(
        None,
        ge=8,
        le=4096,
        description="training images are reduced once so that their shorter side has so many"
        " pixels (with crop pad also enlarged); if unset, size x 8/7, with crop pad size",
    )
    channels: Literal[3, 1] = Field(3, description="3 for colour, 1 for gray")
    crop: Crop = "resized"
    pad: Pad = None
    flips: Flips = ("horizontal",)
    normalise: Literal["imagenet", "half"] = Field(
        "imagenet", description="mean and deviation: of ImageNet, or 0.5 and 0.5"
    )

    @model_validator(mode="after")
    def _consistent_shape(self) -> Self:
        if self.store is not None and self.store < self.size:
            raise ValueError(f"store {self.store} is smaller than size {self.size}")
        if self.pad is not None and self.crop == "resized":
            raise ValueError("pad has no meaning with crop resized; leave it out, or set crop pad")
        return self

    @property
    def stored(self) -> int:
        """Pixels of the shorter side of stored training images."""
        return self.store or self.tested

    @property
    def tested(self) -> int:
        """Pixels of the shorter side of test images, before their centre is cut out."""
        if self.crop == "pad":
            return self.store or self.size
        return round(self.size / CENTRE)

    @property
    def geometry(self) -> Geometry:
        """What augmentation and normalisation need."""
        mean, std = NORMALISE[self.normalise, self.channels]
        pad = self.size // 8 if self.pad is None else self.pad
        return Geometry(self.size, self.crop, pad, self.flips, mean, std)


@dataclass(frozen=True)
class Source:
    """What one data set of this layout adds.

    Attributes:
        names: folder names to look for below `data.root`.
        classes: class names in label order; empty to call them by their numbers.
        how: how to get the set, for messages.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    how: str


def describe(settings: ListSettings, source: Source) -> Description:
    """Count the images by their lists, and judge their shape by the first one.

    Raises:
        DataError: lists or images are missing, or the lists contradict themselves.
    """
    lists, paths = _read(settings, source)
    subsets.check(lists)  # before the first image is asked for: there may be none
    width, height = _decode.header(paths[lists.train.ids[0]])
    if settings.crop == "pad" or min(width, height) > settings.stored:
        width, height = _decode.scaled((width, height), settings.stored)
    return subsets.describe(
        lists, settings, settings.channels, settings.size, stored=(height, width)
    )


def load(settings: ListSettings, source: Source) -> Splits:
    """Decode the drawn training images, all validation images and all test images.

    Raises:
        DataError: as in `describe`, or an image is damaged.
    """
    lists, paths = _read(settings, source)
    drawn = subsets.draw(lists, settings)
    train, val, test = (
        _Chosen.of(listing, positions, paths)
        for listing, positions in (
            (lists.train, drawn.train),
            (drawn.held, drawn.val),
            (lists.test, range(len(lists.test.ids))),
        )
    )
    x, boxes = _decode.whole(
        train.paths, settings.channels, settings.stored, enlarge=settings.crop == "pad"
    )
    return Splits(
        train=Images(x, torch.tensor(train.labels), train.ids, lists.classes, boxes),
        val=_tested(val, settings, lists.classes) if val.ids else None,
        test=_tested(test, settings, lists.classes),
        geometry=settings.geometry,
        subset=subsets.Subset(train.ids, val.ids),
        warnings=drawn.warnings,
    )


@dataclass(frozen=True)
class _Chosen:
    """The images of one split."""

    ids: tuple[str, ...]
    labels: tuple[int, ...]
    paths: tuple[Path, ...]

    @classmethod
    def of(cls, listing: subsets.Listing, at: Sequence[int], paths: dict[str, Path]) -> _Chosen:
        ids = tuple(listing.ids[position] for position in at)
        labels = tuple(listing.labels[position] for position in at)
        return cls(ids, labels, tuple(paths[name] for name in ids))


def _tested(chosen: _Chosen, settings: ListSettings, classes: tuple[str, ...]) -> Images:
    x = _decode.squares(chosen.paths, settings.channels, settings.tested, settings.size)
    return Images(x, torch.tensor(chosen.labels), chosen.ids, classes)


def _read(settings: ListSettings, source: Source) -> tuple[subsets.Lists, dict[str, Path]]:
    """The official lists, and where each listed image lies."""
    folder = _folders.find(settings.root, source.names, ("trainval.txt", "train.txt"), source.how)
    if not (folder / "imgs").is_dir():
        raise DataError(f"{folder} has lists but no folder imgs. {source.how}")
    index = _Index.of(folder)
    val = None
    if settings.validation == "official":
        train, val = _listing(index, "train.txt"), _listing(index, "val.txt")
    elif (folder / "trainval.txt").exists():
        train = _listing(index, "trainval.txt")
    elif (folder / "val.txt").exists():
        train = _listing(index, "train.txt", "val.txt")
    else:
        train = _listing(index, "train.txt")
    classes = source.classes or tuple(str(n) for n in range(max(train.labels, default=0) + 1))
    return subsets.Lists(classes, train, _listing(index, "test.txt"), val), index.paths


def _listing(index: _Index, *names: str) -> subsets.Listing:
    """Lines of `path/without/suffix label`, in one or more files."""
    ids, labels, places = [], [], []
    for name in names:
        for number, line in enumerate(_lines(index.folder / name), 1):
            if not line.strip():
                continue
            place = f"{index.folder / name}:{number}"
            stem, label = (line.rsplit(None, 1) + [""])[:2]
            if not label.isdecimal() or len(label) > 6:
                raise DataError(
                    f"{place}: expected an image and its label, a number from 0, found"
                    f" {line[:80]!r}"
                )
            ids.append(index.find(stem.strip(), place))
            labels.append(int(label))
            places.append(place)
    return subsets.Listing(" and ".join(str(index.folder / n) for n in names), ids, labels, places)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig").splitlines()  # Windows editors add a mark
    except FileNotFoundError:
        raise DataError(
            f"{path} is missing; the set's lists stand beside its folder imgs"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as text ({error})") from None


class _Index:
    """Every image file below `imgs`, found by its path without suffix or by a name that is unique.

    Only what was found by walking the folder can be named, so no list can point out of it.
    """

    def __init__(self, folder: Path, files: Sequence[str]) -> None:
        self.folder = folder
        self.paths: dict[str, Path] = {}
        self._stems: dict[str, list[str]] = {}
        self._names: dict[str, list[str]] = {}
        for file in files:
            stem = os.path.splitext(file)[0]
            self._stems.setdefault(stem, []).append(file)
            self._names.setdefault(stem.rpartition("/")[2], []).append(file)

    @classmethod
    def of(cls, folder: Path) -> _Index:
        """Walk the folder's `imgs`; links to folders are not followed."""
        top = folder / "imgs"
        if not top.resolve().is_relative_to(folder.resolve()):
            raise DataError(f"{top} is a link that leads out of {folder}; name the real folder")
        files = []
        for place, _, names in os.walk(top):
            inner = os.path.relpath(place, top).replace(os.sep, "/") + "/"
            inner = inner.removeprefix("./")
            files += [inner + n for n in names if n.lower().endswith(_decode.SUFFIXES)]
        return cls(folder, sorted(files))

    def find(self, listed: str, place: str) -> str:
        """The id of a listed image: its path below imgs, without suffix. Remembers its file.

        Raises:
            DataError: no file or several have that name, or it is a link that leads elsewhere.
        """
        stem = os.path.splitext(listed)[0] if listed.lower().endswith(_decode.SUFFIXES) else listed
        found = self._stems.get(stem) or self._names.get(stem, [])
        if not found:
            raise DataError(f"{place}: no image {listed!r} below {self.folder / 'imgs'}")
        if len(found) > 1:
            several = ", ".join(found[:3])
            raise DataError(f"{place}: {listed!r} names {len(found)} images: {several}")
        path = self.folder / "imgs" / found[0]
        if path.is_symlink() and not path.resolve().is_relative_to(self.folder.resolve()):
            raise DataError(f"{place}: {path} is a link that leads out of {self.folder}")
        if not path.is_file():  # a pipe would block for ever
            raise DataError(f"{place}: {path} is no file")
        name = os.path.splitext(found[0])[0]
        self.paths[name] = path
        return name
