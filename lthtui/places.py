"""Places where files of runs are: folders on this machine, and what an MLflow server keeps."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

from engine import remote
from engine.errors import StoreError
from lthtui.text import clean_line

MOST = 1000  # entries of a folder that are shown
MOST_SUMMED = 20_000  # entries below a folder whose sizes are summed up
FRESH = 20.0  # seconds for which a server is not asked again what is in a folder
PAGES = 10  # of a list, at most
FETCHED = 2**36  # bytes of a file, at most


class Unshown(Exception):
    """Why a file's content is not shown."""


@dataclass(frozen=True)
class Entry:
    """Something in a folder.

    Attributes:
        kind: folder, file, link, or other for what cannot be read like a file.
        size: bytes of a file, else 0.
    """

    name: str
    kind: str
    size: int = 0


class Place(Protocol):
    """A folder whose files can be looked into; paths within are relative, with slashes."""

    def listed(self, within: str) -> tuple[list[Entry], int]:
        """What is in a folder, folders first, and how many entries were left out."""

    def whole(self, within: str) -> int | None:
        """The bytes of all files below a folder; None where that would take long to find out."""

    def head(self, within: str, limit: int) -> tuple[bytes, int]:
        """The first bytes of a file, and how many it has."""

    def fetch(self, within: str, to: BinaryIO) -> None:
        """Write all of a file to an open one."""

    def path(self, within: str) -> str:
        """What others know a file by."""


class Folder:
    """A folder on this machine; links that lead out of it are not followed."""

    def __init__(self, base: Path) -> None:
        self.base = base

    def listed(self, within: str = "") -> tuple[list[Entry], int]:
        """See `Place.listed`; nothing of a folder that cannot be read, or that is a link."""
        folder = self.base / within
        if folder.is_symlink():
            return [], 0
        try:
            with os.scandir(folder) as found:
                entries = [entry for one in found if (entry := _entry(one)) is not None]
        except OSError:
            return [], 0
        return _ordered(entries)

    def whole(self, within: str = "") -> int | None:
        """See `Place.whole`; links and what cannot be read count for nothing."""
        total = entries = 0
        for folder, folders, names in os.walk(self.base / within):
            entries += len(folders) + len(names)
            if entries > MOST_SUMMED:
                return None
            found = (_stat(Path(folder, name)) for name in names)
            total += sum(one.st_size for one in found if one and stat.S_ISREG(one.st_mode))
        return total

    def head(self, within: str, limit: int) -> tuple[bytes, int]:
        """See `Place.head`.

        Raises:
            Unshown: it is no file, or a link out of the folder.
            OSError, ValueError, RuntimeError: it cannot be read.
        """
        with self._open(within) as file:
            return os.pread(file.fileno(), limit, 0), os.fstat(file.fileno()).st_size

    def fetch(self, within: str, to: BinaryIO) -> None:
        """See `Place.fetch`; raises as `head` does."""
        with self._open(within) as file:
            shutil.copyfileobj(file, to)

    def path(self, within: str) -> str:
        """See `Place.path`."""
        return str(self.base / within)

    @contextmanager
    def _open(self, within: str) -> Iterator[BinaryIO]:
        """The file, or what a link leads to in the same folder."""
        target = (self.base / within).resolve()
        if not target.is_relative_to(self.base.resolve()):
            raise Unshown(f"a link out of this folder, to {clean_line(str(target))}; not followed")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        opened = os.open(target, flags)
        try:
            mode = os.fstat(opened).st_mode
            if not stat.S_ISREG(mode):
                raise Unshown("a folder" if stat.S_ISDIR(mode) else "not a file")
            with os.fdopen(opened, "rb", closefd=False) as file:
                yield file
        finally:
            os.close(opened)


class Kept:
    """What an MLflow server keeps of a run, whatever it keeps that on.

    Every method raises StoreError where the server is out of reach or says no.
    """

    def __init__(self, address: str, mlflow_run_id: str) -> None:
        self._address, self._run = address.rstrip("/"), mlflow_run_id
        self._known: dict[str, tuple[float, list[Entry]]] = {}

    def listed(self, within: str = "") -> tuple[list[Entry], int]:
        """See `Place.listed`; asks again only after a while."""
        folder = within.rstrip("/")
        asked, entries = self._known.get(folder, (0.0, []))
        if not asked or time.monotonic() - asked > FRESH:
            entries = list(self._ask(folder))
            self._known[folder] = time.monotonic(), entries
        return _ordered(entries)

    def whole(self, within: str = "") -> int | None:
        """See `Place.whole`: a server would have to be asked about every folder."""
        return None

    def head(self, within: str, limit: int) -> tuple[bytes, int]:
        """See `Place.head`; the size is the one that was listed."""
        data = bytearray()
        for part in self._parts(within):
            data += part
            if len(data) >= limit:
                break
        folder, _, name = within.rpartition("/")
        _, entries = self._known.get(folder, (0.0, []))
        size = next((entry.size for entry in entries if entry.name == name), 0)
        return bytes(data[:limit]), max(size, len(data))

    def fetch(self, within: str, to: BinaryIO) -> None:
        """See `Place.fetch`."""
        for part in self._parts(within):
            if to.tell() > FETCHED:
                raise StoreError(f"{self._address} sends more than {FETCHED:,} bytes")
            to.write(part)

    def path(self, within: str) -> str:
        """See `Place.path`: as MLflow's own commands have it."""
        return f"runs:/{self._run}/{within}"

    def _ask(self, folder: str) -> Iterator[Entry]:
        where, token = "/api/2.0/mlflow/artifacts/list", ""
        for _ in range(PAGES):
            asked = {"run_id": self._run, "path": folder, "page_token": token}
            said = remote.ask(self._address, where, {k: v for k, v in asked.items() if v})
            files = said.get("files", [])
            yield from _told(files if isinstance(files, list) else [], folder)
            token = str(said.get("next_page_token") or "")
            if not token:
                return

    def _parts(self, within: str) -> Iterator[bytes]:
        asked = {"run_uuid": self._run, "path": within}
        return remote.parts(self._address, "/get-artifact", asked)


def _told(files: list[Any], folder: str) -> Iterator[Entry]:
    """The entries of a folder that a server tells of; what lies elsewhere is not taken over."""
    for one in files:
        one = one if isinstance(one, dict) else {}
        path, size = one.get("path"), one.get("file_size") or 0
        if not isinstance(path, str) or not str(size).isdecimal():
            continue
        parent, name = str(PurePosixPath(path).parent), PurePosixPath(path).name
        if parent == (folder or ".") and name not in ("", "..") and "\0" not in name:
            yield Entry(name, "folder") if one.get("is_dir") else Entry(name, "file", int(size))


def _ordered(entries: list[Entry]) -> tuple[list[Entry], int]:
    entries = sorted(entries, key=lambda entry: (entry.kind != "folder", entry.name))
    return entries[:MOST], max(len(entries) - MOST, 0)


def _entry(one: os.DirEntry[str]) -> Entry | None:
    try:
        about = one.stat(follow_symlinks=False)
    except OSError:
        return None  # it has just gone
    if stat.S_ISLNK(about.st_mode):
        return Entry(one.name, "link")
    if stat.S_ISDIR(about.st_mode):
        return Entry(one.name, "folder")
    regular = stat.S_ISREG(about.st_mode)
    return Entry(one.name, "file", about.st_size) if regular else Entry(one.name, "other")


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None  # it has just gone
