"""Image sets described by list files: imgs/** beside train, val, trainval and test .txt."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import subsets
from engine.datasets import _folders
from engine.datasets._image_files import Listed
from engine.dataspec import DataSettings
from engine.errors import DataError

MARKS = ("trainval.txt", "train.txt")
WHERE = "the set's lists stand beside its folder imgs"


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


def read(settings: DataSettings, source: Source) -> Listed:
    """The official lists, and where each listed image lies.

    Raises:
        DataError: lists or images are missing, or a line names no image of the set.
    """
    folder = _folders.find(settings.root, source.names, MARKS, source.how)
    if not (folder / "imgs").is_dir():
        raise DataError(f"{folder} has lists but no folder imgs. {source.how}")
    index = Index.of(folder / "imgs")
    val = None
    if settings.validation == "official":
        train, val = _listing(index, folder, "train.txt"), _listing(index, folder, "val.txt")
    elif (folder / "trainval.txt").exists():
        train = _listing(index, folder, "trainval.txt")
    elif (folder / "val.txt").exists():
        train = _listing(index, folder, "train.txt", "val.txt")
    else:
        train = _listing(index, folder, "train.txt")
    classes = source.classes or tuple(str(n) for n in range(max(train.labels, default=0) + 1))
    lists = subsets.Lists(classes, train, _listing(index, folder, "test.txt"), val)
    return Listed(lists, index.paths)


def _listing(index: Index, folder: Path, *names: str) -> subsets.Listing:
    """Lines of `path/without/suffix label`, in one or more files."""
    ids, labels, places = [], [], []
    for name in names:
        for number, line in enumerate(_folders.lines(folder / name, WHERE), 1):
            if not line.strip():
                continue
            place = f"{folder / name}:{number}"
            stem, label = (line.rsplit(None, 1) + [""])[:2]
            if not label.isdecimal() or len(label) > 6:
                raise DataError(
                    f"{place}: expected an image and its label, a number from 0, found"
                    f" {line[:80]!r}"
                )
            ids.append(index.find(stem.strip(), place))
            labels.append(int(label))
            places.append(place)
    return subsets.Listing(" and ".join(str(folder / n) for n in names), ids, labels, places)


class Index:
    """Every image file below a folder, found by its path without suffix or by a unique name.

    Only what was found by walking the folder can be named, so no list can point out of it.
    """

    def __init__(self, top: Path, files: Sequence[_folders.Found]) -> None:
        self.top = top
        self._paths: dict[str, Path] = {}
        self._stems: dict[str, list[_folders.Found]] = {}
        self._names: dict[str, list[_folders.Found]] = {}
        for file in files:
            stem = os.path.splitext(file.path)[0]
            self._stems.setdefault(stem, []).append(file)
            self._names.setdefault(stem.rpartition("/")[2], []).append(file)

    @property
    def paths(self) -> Mapping[str, Path]:
        """The file of each image that was found, by its id."""
        return self._paths

    @classmethod
    def of(cls, top: Path) -> Index:
        """Walk the images of a data set, whose folder is the one above.

        Raises:
            DataError: the folder is a link that leads out of the data set.
        """
        if not _folders.inside(top, top.parent):
            raise DataError(f"{top} is a link that leads out of {top.parent}; name the real folder")
        return cls(top, _folders.images(top))

    def find(self, listed: str, place: str) -> str:
        """The id of a listed image: its path below the folder, without suffix.

        Raises:
            DataError: no file or several have that name, or it is a link that leads elsewhere.
        """
        stem = os.path.splitext(listed)[0] if listed.lower().endswith(_folders.SUFFIXES) else listed
        found = self._stems.get(stem) or self._names.get(stem, [])
        if not found:
            raise DataError(f"{place}: no image {listed!r} below {self.top}")
        if len(found) > 1:
            several = ", ".join(file.path for file in found[:3])
            raise DataError(f"{place}: {listed!r} names {len(found)} images: {several}")
        path = self.top / found[0].path
        if not found[0].plain:
            _folders.check(path, self.top.parent, place)
        name = os.path.splitext(found[0].path)[0]
        self._paths[name] = path
        return name
