"""Unpacks archives from elsewhere: only files and folders, all inside, no more than expected."""

from __future__ import annotations

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from engine.errors import Damaged
from lthtui.planning import size as sized
from lthtui.text import clean_line

MEMBERS = 500_000
BLOCK = 1024 * 1024
BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError),
    *(EOFError, ValueError, RuntimeError),  # cut off, odd headers, encrypted
)


def unpack(archive: Path, folder: Path, inner: str, most: int) -> None:
    """Unpack a folder of a zip or (compressed) tar archive.

    Everything in the archive is looked at, also what is not unpacked. Owners, times and modes stay
    behind.

    Args:
        folder: a new folder that gets what `inner` holds.
        inner: the folder in the archive.
        most: bytes that the archive may unpack to.

    Raises:
        Damaged: it is broken, has no such folder, holds links, devices or paths that lead
            elsewhere, or would unpack to more. What was unpacked before that stays in `folder`.
        OSError: the disk is full, or nothing may be written there.
    """
    folder.mkdir(parents=True)
    found = False
    try:
        for path, source in _checked(archive, most):
            if path.is_relative_to(inner) and source is not None:
                found = True
                _write(source, folder / path.relative_to(inner))
    except BROKEN as error:
        raise Damaged(f"{archive} is damaged ({clean_line(str(error))}); get it again") from None
    except FileExistsError as error:
        raise _refused(archive, "holds a file twice", str(error.filename)) from None
    if not found:
        raise Damaged(f"{archive} has no folder {inner}; it is another archive")


def _checked(archive: Path, most: int) -> Iterator[tuple[PurePosixPath, IO[bytes] | None]]:
    """Each member's path and content, None for a folder's, once it was found harmless."""
    total = 0
    for count, (name, size, plain, source) in enumerate(_members(archive), 1):
        path, total = PurePosixPath(name), total + size
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            raise _refused(archive, "holds a path that leads out of it", name)
        if not plain:
            raise _refused(archive, "holds a link or a device", name)
        if total > most or count > MEMBERS:
            raise _refused(archive, f"unpacks to more than {sized(most)}, or many files", name)
        yield path, source


def _members(archive: Path) -> Iterator[tuple[str, int, bool, IO[bytes] | None]]:
    """Of each member its name, its size, whether it is a file or folder, and its content."""
    if _begins(archive, b"PK"):  # is_zipfile looks at the end, where a tar file may have anything
        with zipfile.ZipFile(archive) as opened:
            for entry in opened.infolist():
                kind = stat.S_IFMT(entry.external_attr >> 16)
                plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
                if entry.is_dir() or not plain:
                    yield entry.filename, entry.file_size, plain, None
                else:
                    with opened.open(entry) as content:
                        yield entry.filename, entry.file_size, True, content
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            plain = member.isreg() or member.isdir()
            yield member.name, member.size, plain, tar.extractfile(member) if plain else None


def _begins(archive: Path, mark: bytes) -> bool:
    with archive.open("rb") as file:
        return file.read(len(mark)) == mark


def _write(source: IO[bytes], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("xb") as file:
            shutil.copyfileobj(source, file, BLOCK)
    except OSError as error:
        if error.errno is None:  # the archive's fault
            raise
        raise OSError(error.errno, error.strerror, str(target)) from None  # a full disk has none


def _refused(archive: Path, why: str, name: str) -> Damaged:
    return Damaged(f"{archive} {why} ({clean_line(name)}); it was not unpacked")
