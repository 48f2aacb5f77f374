"""Trees of class folders: an image at any depth below a class's folder is of that class."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine import classcounts, subsets
from engine.datasets import _folders
from engine.datasets._image_files import Listed
from engine.errors import DataError


@dataclass(frozen=True)
class Part:
    """The images of one split.

    Attributes:
        place: the folder or file that says which they are, for messages.
        classes: names of the class folders, sorted; a folder may be empty.
        files: the class of each image, by its path below the set's folder.
        warnings: what the user should know.
    """

    place: Path
    classes: tuple[str, ...]
    files: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def walk(folder: Path, name: str = "") -> Part:
    """Find the class folders and images of a tree.

    Args:
        folder: the data set's folder.
        name: the folder of the tree below it; the folder itself if empty.

    Raises:
        DataError: a folder cannot be read, something is a link that leads out of the set, or no
            picture is of a kind that is read.
    """
    top = folder / name
    if not _folders.inside(top, folder):
        raise DataError(f"{top} is a link that leads out of {folder}; name the real folder")
    entries = _folders.entries(top)
    classes = sorted(entry.name for entry in entries if _folders.folder(entry))
    files, others = {}, []
    for one in classes:
        for found in _folders.images(top / one, (*_folders.SUFFIXES, *_folders.OTHERS)):
            if found.path.lower().endswith(_folders.OTHERS):
                others.append(top / one / found.path)
                continue
            if not found.plain:
                _folders.check(top / one / found.path, folder)
            files[f"{name}/{one}/{found.path}".lstrip("/")] = one
    loose = [entry for entry in entries if entry.name.lower().endswith(_folders.SUFFIXES)]
    warnings = []
    if loose:
        warnings.append(f"{top}: {len(loose)} images outside any class folder are not used")
    if others:
        unread = f"{len(others)} pictures such as {others[0]} are of a kind that is not read"
        if not files:
            raise DataError(f"{top}: {unread}, and there are no others; convert them to PNG")
        warnings.append(f"{top}: {unread}; convert them to PNG to use them")
    return Part(top, tuple(classes), files, tuple(warnings))


def listed(
    folder: Path,
    train: Part,
    test: Part,
    val: Part | None = None,
    names: Mapping[str, str] | None = None,
    warnings: Sequence[str] = (),
) -> Listed:
    """The images as lists, with the class folders of `train` as classes.

    Args:
        names: what to call the classes, where not by their folders.

    Raises:
        DataError: fewer than two classes, or a class that `train` lacks.
    """
    if len(train.classes) < 2:
        raise DataError(
            f"{train.place} has {len(train.classes)} class folders; put the images of each class"
            " into a folder of its own"
        )
    label = {name: number for number, name in enumerate(train.classes)}

    def listing(part: Part) -> subsets.Listing:
        if unknown := sorted({*part.classes} - {*label}):
            raise DataError(
                f"{part.place} has class '{unknown[0]}', which {train.place} has not; a network"
                " cannot learn it: take it out, or add it there"
            )
        return subsets.Listing(
            str(part.place), [*part.files], [label[name] for name in part.files.values()]
        )

    parts = [train, test, *([val] if val else [])]
    lists = subsets.Lists(
        tuple((names or {}).get(name, name) for name in train.classes),
        listing(train),
        listing(test),
        listing(val) if val else None,
    )
    notes = [note for part in parts for note in part.warnings]
    if absent := sorted({*label} - {*test.files.values()}):
        notes.append(f"{test.place} has no image of {', '.join(absent[:5])}; none is tested")
    paths = {name: folder / name for part in parts for name in part.files}
    return Listed(lists, paths, (*warnings, *notes))


def together(one: Part, other: Part) -> Part:
    """Two parts as one, with the classes of the first."""
    return replace(
        one,
        files={**one.files, **other.files},
        warnings=(*one.warnings, *other.warnings),
    )


def split(tree: Part, share: float, seed: int) -> tuple[Part, Part]:
    """Take a test set out of a tree, class by class, by SHA-256 of the seed and each path.

    Args:
        share: of the images that are tested; one image of each class at least is left.

    Raises:
        DataError: the share is less than one image.
    """

    def rank(path: str) -> bytes:
        return hashlib.sha256(f"test\x1f{seed}\x1f{path}".encode()).digest()

    sizes = Counter(tree.files.values())
    classes = [name for name in tree.classes if sizes[name]]
    counts = classcounts.spread([sizes[name] for name in classes], share)
    left = {name: min(n, sizes[name] - 1) for name, n in zip(classes, counts, strict=True)}
    tested = set()
    for path in sorted(tree.files, key=rank):
        if left[tree.files[path]]:
            left[tree.files[path]] -= 1
            tested.add(path)
    if tree.files and not tested:
        raise DataError(f"data.test {share:g} takes no image of {len(tree.files)}; ask for more")
    train = {path: name for path, name in tree.files.items() if path not in tested}
    test = {path: name for path, name in tree.files.items() if path in tested}
    return replace(tree, files=train), replace(tree, files=test, warnings=())
