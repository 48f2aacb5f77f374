"""What the file system under a folder offers: room, locks, and memory shared by processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# statfs(2) magic numbers. Those of this machine have the shared memory that a write-ahead log
# needs; whatever is not listed counts as far away.
_LOCAL = {
    0xEF53: "ext",
    0x58465342: "xfs",
    0x9123683E: "btrfs",
    0x2FC12FC1: "zfs",
    0xF2F52010: "f2fs",
    0xCA451A4E: "bcachefs",
    0x3153464A: "jfs",
    0x52654973: "reiserfs",
    0x01021994: "tmpfs",
    0x858458F6: "ramfs",
    0x794C7630: "overlayfs",
}
_REMOTE = {
    0x6969: "NFS",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB",
    0x517B: "SMB",
    0x65735546: "FUSE",
    0x01021997: "9p",
    0x0BD00BD0: "Lustre",
    0x47504653: "GPFS",
    0x19830326: "BeeGFS",
    0x00C36400: "Ceph",
    0x5346414F: "AFS",
    0x4D44: "FAT",
    0x2011BAB0: "exFAT",
}


@dataclass(frozen=True)
class FileSystem:
    """The file system that a folder is on; sizes in bytes.

    Attributes:
        device: its number, by which folders on one file system are told to be so.
        free: what this user may still write.
        local: whether it is one of this machine's, as far as is known.
    """

    device: int
    name: str
    size: int
    free: int
    local: bool


def of(folder: Path) -> FileSystem:
    """Look at the file system of a folder, or of its nearest parent that exists.

    Raises:
        OSError: it can't be looked at.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    found, magic = os.statvfs(folder), _magic(folder)
    return FileSystem(
        device=folder.stat().st_dev,
        name=_LOCAL.get(magic) or _REMOTE.get(magic) or f"type 0x{magic:x}",
        size=found.f_blocks * found.f_frsize,
        free=found.f_bavail * found.f_frsize,
        local=magic in _LOCAL,
    )


def is_local(folder: Path) -> bool:
    """Whether a folder is on a file system of this machine, as far as is known."""
    return _magic(folder) in _LOCAL


def keeps_apart(folder: Path) -> bool:
    """Whether locks on files in a folder exclude one another, both kinds that are used here.

    Raises:
        OSError: nothing can be written there.
    """
    probe = folder / f".locks.{os.getpid()}.tmp"
    ours = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    theirs = os.open(probe, os.O_RDWR | os.O_CLOEXEC)
    try:
        return not _both(ours, theirs, _flock) and not _both(ours, theirs, _record)
    finally:
        os.close(theirs)
        os.close(ours)
        probe.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Hold an exclusive lock on a file, which goes when the process does.

    Raises:
        BlockingIOError: somebody else holds it and `wait` is false.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove a file, a folder with all that is in it, or a link, but never what a link leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Put a file, or the entries of a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _magic(folder: Path) -> int:
    import ctypes  # here, as the app's first table does not ask

    buffer = ctypes.create_string_buffer(512)
    if ctypes.CDLL(None).statfs(os.fsencode(folder), buffer) != 0:
        return 0
    return ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF


def _both(first: int, second: int, lock: Callable[[int], None]) -> bool:
    """Whether two openings of a file both get an exclusive lock, or none does."""
    try:
        lock(first)
    except OSError:
        return True
    try:
        lock(second)
    except OSError:
        return False
    return True


def _flock(file: int) -> None:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _record(file: int) -> None:
    """Lock the whole file as SQLite does, but for the opening instead of for the process."""
    whole = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, whole)
