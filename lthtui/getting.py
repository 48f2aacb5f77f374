"""Gets a data set: downloads what is missing, verifies it, unpacks it, and puts it in its place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from engine import filesystems
from engine.errors import Damaged, UsageError
from lthtui import downloads, unpacking
from lthtui.datasources import Remote, Source
from lthtui.planning import size as sized

FOLDER = ".downloads"
BLOCK = 1024 * 1024


class Told(Protocol):
    """Whoever is told how it goes."""

    def say(self, line: str) -> None:
        """Something happened."""

    def tell(self, name: str, have: int, whole: int | None) -> None:
        """So many bytes of a file are here."""


def get(name: str, source: Source, root: Path, told: Told) -> list[Path]:
    """Put a data set below `root`, and return what was put there.

    What is in its place already is left as it is. Downloads are kept in `root/.downloads` until
    they are whole and verified; what is unpacked appears in its place at once.

    Raises:
        UsageError: another process gets the same set, or the disk has no room for it.
        DownloadError, Damaged: a file cannot be had, or is not what was published.
        OSError: the disk is full, or nothing may be written there.
    """
    missing = [file for file in source.files if not (root / file.target).exists()]
    for file in source.files:
        if file not in missing:
            told.say(f"{root / file.target} is there already and stays as it is")
    if not missing:
        return []
    folder = root / FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with filesystems.locked(root / FOLDER / f"{name}.lock", wait=False):
            _check_room(missing, folder)
            for file in missing:
                _place(file, root / file.target, folder, told)
            filesystems.remove(folder)
    except BlockingIOError:
        raise UsageError(f"another `lthtui data get {name}` is at work in {root}") from None
    return [root / file.target for file in missing]


def _check_room(files: list[Remote], folder: Path) -> None:
    have = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    wanted = sum(file.size or 0 for file in files) - have
    free = filesystems.of(folder).free
    if wanted > free:
        raise UsageError(
            f"{folder} has {sized(free)} free, and {sized(wanted)} have to be downloaded; free"
            " some, or name another folder with --root"
        )


def _place(file: Remote, target: Path, folder: Path, told: Told) -> None:
    whole = folder / file.name
    if whole.exists():  # put there by hand, or before a process ended
        _verify(whole, file.checksum)
    else:
        _download(file, whole, told)
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.inner is None:
        whole.replace(target)
        return
    told.say(f"unpacking {whole.name}")
    aside = folder / "unpacked"
    filesystems.remove(aside)
    unpacking.unpack(whole, aside, file.inner, file.most)
    aside.replace(target)
    whole.unlink()


def _download(file: Remote, whole: Path, told: Told) -> None:
    """Download a file, once more from its beginning where the pieces of two tries don't fit."""
    part = whole.with_name(f"{whole.name}.part")
    resumed = part.exists()

    def tell(have: int, size: int | None) -> None:
        told.tell(file.name, have, size)

    def fetch() -> None:
        downloads.download(file.url, part, file.size, file.limit, tell, told.say)
        try:
            _verify(part, file.checksum)
        except Damaged:
            part.unlink()
            raise

    try:
        fetch()
    except Damaged:
        if not resumed:
            raise
        told.say(f"{file.name}: what was here does not fit the rest; getting all of it")
        fetch()
    part.replace(whole)


def _verify(path: Path, checksum: str) -> None:
    """Compare with the published checksum.

    Raises:
        Damaged: it is another.
    """
    kind, _, wanted = checksum.partition(":")
    found = _digests[kind](path)
    if found != wanted:
        raise Damaged(
            f"{path}: its {kind} is {found}, and {wanted} is published; remove the file if it is"
            " still there, and get it again later, or from its publisher"
        )


def _digest(kind: str) -> Callable[[Path], str]:
    def digest(path: Path) -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, kind).hexdigest()

    return digest


def _git(path: Path) -> str:
    """The name that Git gives to a blob."""
    sha1 = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            sha1.update(block)
    return sha1.hexdigest()


_digests = {"md5": _digest("md5"), "sha256": _digest("sha256"), "git": _git}
