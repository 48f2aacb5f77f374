"""Find a data set on disk and the images in it: nothing outside its folder, no pipe."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DataError, NoSet

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".pgm", ".ppm")
OTHERS = (".gif", ".avif", ".heic", ".jp2", ".jxl", ".svg")  # pictures that are not read
MAX_TEXT = 2**28


def find(root: str, names: Sequence[str], marks: Sequence[str], how: str) -> Path:
    """Return the first of `root`, `root/<name>`... that holds one of the files or folders `marks`.

    Args:
        names: folder names of the set, as its archives unpack.
        marks: what only this data set's folder holds.
        how: how to get the data set, for the message.

    Raises:
        NoSet: nothing fits; the message lists what was looked for, and where.
        DataError: the folder cannot be read.
    """
    candidates = [Path(root), *(Path(root) / name for name in names)]
    try:
        for folder in candidates:
            if any((folder / mark).exists() for mark in marks):
                return folder
    except OSError as error:
        raise DataError(f"data.root {root} cannot be read ({error.strerror})") from None
    raise missing(root, " or ".join(marks), candidates, how)


def missing(root: str, wanted: str, places: Sequence[Path], how: str) -> NoSet:
    """The error that says what was looked for below `data.root`, where, and how to get it."""
    nowhere = "" if Path(root).is_dir() else f"data.root {root} is no folder; "
    folders = ", ".join(f"{folder}/" for folder in places)
    return NoSet(f"{nowhere}looked for {wanted} in {folders}. {how}")


@dataclass(frozen=True, order=True)
class Found:
    """An image file.

    Attributes:
        path: below the folder that was walked, with / between names.
        plain: whether it is known to be a file, and no link; others need `check`.
    """

    path: str
    plain: bool


def images(top: Path, suffixes: tuple[str, ...] = SUFFIXES) -> list[Found]:
    """Every image file below a folder, at any depth, sorted. Hidden files and folders are left out.

    Args:
        suffixes: by which they are known, in small letters.

    Raises:
        DataError: a folder cannot be read or is a link, or a name is no text.
    """
    found, left = [], [""]
    while left:
        inner = left.pop()
        for entry in entries(top / inner):
            name = inner + entry.name
            if folder(entry):
                left.append(f"{name}/")
            elif name.lower().endswith(suffixes):
                found.append(Found(name, entry.is_file(follow_symlinks=False)))
    return sorted(found)


def entries(top: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, but for hidden files.

    Raises:
        DataError: it cannot be read, or a name in it is no text.
    """
    try:
        with os.scandir(top) as listed:
            shown = [entry for entry in listed if not entry.name.startswith(".")]
        for entry in shown:
            entry.name.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{top}: the name {error.object!r} is no UTF-8 text; rename it") from None
    except OSError as error:
        raise DataError(f"{top}: cannot be read ({error.strerror})") from None
    return shown


def folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder.

    Raises:
        DataError: it is a link to one.
    """
    if entry.is_symlink() and os.path.isdir(entry.path):  # a link to itself is none
        raise DataError(
            f"{entry.path} is a link to a folder, which is not followed; put the images there"
            " themselves, or let data.root name the real folder"
        )
    return entry.is_dir(follow_symlinks=False)


def check(path: Path, top: Path, place: str = "") -> None:
    """Refuse what is no file, and a link that leads out of the data set.

    Args:
        top: the data set's folder.
        place: where the file is named, for the message.

    Raises:
        DataError: as said.
    """
    at = f"{place}: " if place else ""
    if path.is_symlink() and not inside(path, top):
        raise DataError(f"{at}{path} is a link that leads out of {top}; put the file itself there")
    if not path.is_file():  # a pipe would block for ever
        raise DataError(f"{at}{path} is no file; take it out of the set")


def inside(path: Path, top: Path) -> bool:
    """Whether a path, with its links followed, lies below a folder."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(top))


def lines(path: Path, where: str) -> list[str]:
    """The lines of a text file.

    Args:
        where: a sentence on where such a file comes from, for the message.

    Raises:
        DataError: it is missing, no file, no text, or absurdly long.
    """
    if not path.exists():
        raise DataError(f"{path} is missing; {where}")
    if not path.is_file():
        raise DataError(f"{path} is no file; {where}")
    if path.stat().st_size > MAX_TEXT:
        raise DataError(f"{path} has over {MAX_TEXT >> 20} MiB, too much for a list; {where}")
    try:
        return path.read_text("utf-8-sig").splitlines()  # Windows editors add a mark
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as text ({error})") from None
