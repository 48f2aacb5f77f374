"""CUB-200-2011 birds (Wah et al. 2011), in the official split, or with the lists of Brigato 2022.

Both have the same 5,994 training and 5,794 test images; only the lists name validation images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine import subsets
from engine.datasets import _folders, _image_files, _lists
from engine.description import Description
from engine.errors import DataError
from engine.images import Splits

NAMES = ("cub", "CUB_200_2011", "CUB")
OWN = ("images.txt", "image_class_labels.txt", "train_test_split.txt", "classes.txt")
HOW = (
    "Download CUB_200_2011.tgz from https://data.caltech.edu/records/65de6-vp158, unpack it there,"
    " and let data.root name the folder CUB_200_2011 or the one above; for the validation images of"
    " https://github.com/cvjena/deic, put the lists of its datasets/cub into a folder cub and the"
    " class folders of the images into cub/imgs"
    "; or let `lthtui data get cub` do that"
)


class Settings(_image_files.FileSettings):
    """How images are stored and shown: resized crops, mirrored left to right."""


def describe(settings: Settings) -> Description:
    """Count the images by their lists."""
    return _image_files.describe(settings, listed(settings))


def load(settings: Settings) -> Splits:
    """Decode the images."""
    return _image_files.load(settings, listed(settings))


def listed(settings: Settings) -> _image_files.Listed:
    """Which image files there are, and their labels."""
    folder = _folders.find(settings.root, NAMES, (*_lists.MARKS, "images.txt"), HOW)
    if any((folder / mark).exists() for mark in _lists.MARKS):
        read = _lists.read(settings, _lists.Source(NAMES, (), HOW))
        return _image_files.Listed(_named(read), read.paths, read.warnings)
    if not (folder / "images").is_dir():
        raise _folders.missing(settings.root, "the folder images", [folder], HOW)
    return _official(folder)


def _named(read: _image_files.Listed) -> subsets.Lists:
    """The lists with the classes called by their folders (`001.Black_footed_Albatross`)."""
    lists = read.lists
    folders = {
        label: name.partition("/")[0]
        for name, label in zip(lists.train.ids, lists.train.labels, strict=True)
        if "/" in name
    }
    classes = tuple(_bird(folders.get(n, name)) for n, name in enumerate(lists.classes))
    return subsets.Lists(classes, lists.train, lists.test, lists.val)


def _official(folder: Path) -> _image_files.Listed:
    """The set's own tables, whose rows begin with the number of an image or class."""
    images, labels, splits, names = (_table(folder / name) for name in OWN)
    index = _lists.Index.of(folder / "images")
    rows: dict[bool, list[tuple[str, int, str]]] = {True: [], False: []}
    order = {key: number for number, key in enumerate(names)}
    for key, (name, place) in images.items():
        label, where = labels.get(key, ("", place))
        if label not in order or splits.get(key, ("",))[0] not in ("0", "1"):
            raise DataError(
                f"{where}: image {key} lacks a class of classes.txt, or a 0 or 1 in"
                f" train_test_split.txt. {HOW}"
            )
        rows[splits[key][0] == "1"].append((index.find(name, place), order[label], place))
    classes = tuple(_bird(name) for name, _ in names.values())
    train, test = (_listing(folder / "images.txt", rows[trained]) for trained in (True, False))
    return _image_files.Listed(subsets.Lists(classes, train, test), index.paths)


def _listing(table: Path, rows: Sequence[tuple[str, int, str]]) -> subsets.Listing:
    return subsets.Listing(
        str(table), [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
    )


def _table(path: Path) -> Mapping[str, tuple[str, str]]:
    """The value of each key, and the line that has it."""
    table: dict[str, tuple[str, str]] = {}
    for number, line in enumerate(_folders.lines(path, HOW), 1):
        key, _, value = line.strip().partition(" ")
        place = f"{path}:{number}"
        if not key:
            continue
        if not key.isdecimal() or not value or key in table:
            raise DataError(f"{place}: expected a new number and its value, found {line[:80]!r}")
        table[key] = value.strip(), place
    return table


def _bird(folder: str) -> str:
    """`Black footed Albatross` of `001.Black_footed_Albatross`."""
    number, point, name = folder.partition(".")
    return name.replace("_", " ") if point and number.isdecimal() and name else folder
