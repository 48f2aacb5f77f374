"""Tiny-ImageNet (Le & Yang 2015): 200 classes of ImageNet at 64x64, 500 training images each.

The labels of its own test images were never published: those of val/ are the test images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from engine.datasets import _class_folders, _folders, _image_files
from engine.description import Description
from engine.errors import DataError
from engine.images import Splits

HOW = (
    "Download http://cs231n.stanford.edu/tiny-imagenet-200.zip (described at"
    " https://www.kaggle.com/c/tiny-imagenet), unpack it there, and let data.root name the folder"
    " tiny-imagenet-200 or the one above"
    "; or let `lthtui data get tiny_imagenet` do that"
)
LABELS = "val_annotations.txt"


class Settings(_image_files.FileSettings):
    """How images are stored and shown: as they are, shifted by 4 pixels, mirrored left to right."""

    size: _image_files.Size = 64
    crop: _image_files.Crop = "pad"
    pad: _image_files.Pad = 4
    normalise: _image_files.Normalise = "tiny_imagenet"


def describe(settings: Settings) -> Description:
    """Count the images by walking the folders."""
    return _image_files.describe(settings, listed(settings))


def load(settings: Settings) -> Splits:
    """Decode the images."""
    return _image_files.load(settings, listed(settings))


def listed(settings: Settings) -> _image_files.Listed:
    """Which image files there are, and their labels."""
    names = ("tiny-imagenet-200", "tiny_imagenet", "tiny-imagenet")
    folder = _folders.find(settings.root, names, ("wnids.txt", "words.txt", f"val/{LABELS}"), HOW)
    for inner in ("train", "val"):
        if not (folder / inner).is_dir():
            raise _folders.missing(settings.root, f"the folder {inner}", [folder], HOW)
    train = _class_folders.walk(folder, "train")
    if (folder / "val" / LABELS).exists():
        test = _labelled(folder)
    else:  # many projects move the images into class folders
        test = _class_folders.walk(folder, "val")
    return _class_folders.listed(folder, train, test, names=_words(folder, train.classes))


def _labelled(folder: Path) -> _class_folders.Part:
    """The images of val/images, whose classes stand in a table."""
    place = folder / "val" / LABELS
    top = folder / "val" / "images"
    known = {found.path: found for found in _folders.images(top)}
    files: dict[str, str] = {}
    for number, line in enumerate(_folders.lines(place, HOW), 1):
        name, _, rest = line.partition("\t")
        if name not in known or not rest:
            raise DataError(
                f"{place}:{number}: {line[:80]!r} names no image of {top} and its class"
            )
        if not known[name].plain:
            _folders.check(top / name, folder, f"{place}:{number}")
        if f"val/images/{name}" in files:
            raise DataError(f"{place}:{number}: image '{name}' is already listed")
        files[f"val/images/{name}"] = rest.partition("\t")[0]
    return _class_folders.Part(place, tuple(sorted({*files.values()})), files)


def _words(folder: Path, classes: Sequence[str]) -> dict[str, str]:
    """The first English word of each class, with the class's number where two share one."""
    if not (folder / "words.txt").exists():
        return {}
    rows = (line.partition("\t") for line in _folders.lines(folder / "words.txt", HOW))
    words = {key: words.partition(",")[0].strip() for key, _, words in rows if words.strip()}
    mine = {key: words[key] for key in classes if key in words}
    shared = Counter(mine.values())
    return {key: word if shared[word] == 1 else f"{word} ({key})" for key, word in mine.items()}
