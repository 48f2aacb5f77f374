"""Which processes of this machine keep others out of an MLflow store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from engine.storefile import LOCK


def locked(file: Path) -> str:
    """That a store is locked, and by whom as far as can be told."""
    known = ", ".join(map(described, sorted(holders(file))))
    return f"{file} is locked" + (f" by {known}" if known else "")


def holders(file: Path) -> set[int]:
    """Ids of other processes that hold a writer's lock on a store, as far as the kernel tells."""
    inodes = set()
    for one in (file, file.with_name(f"{file.name}-shm"), file.with_name(LOCK)):
        with contextlib.suppress(OSError):
            inodes.add(one.stat().st_ino)
    return {pid for pid, inode in _write_locks() if inode in inodes and pid != os.getpid()}


def described(pid: int) -> str:
    """A process and its command line, for people."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        words = ["gone"]
    return f"process {pid} ({' '.join(words).strip()[:80]})"


def _write_locks() -> Iterator[tuple[int, int]]:
    """Process and inode of each write lock on this machine."""
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split()
        if len(fields) >= 6 and "->" not in fields and "WRITE" in fields:
            at = fields.index("WRITE")
            yield int(fields[at + 1]), int(fields[at + 2].rpartition(":")[2])
