"""What processes that are gone left under a root: temporary files, and entries of no run."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine import filesystems
from engine.rundir import RunDirectory
from lthtui.launch import entries

_TEMPORARY = re.compile(r"\..+\.(\d+)\.tmp")  # .NAME.PID.tmp
_FAR = 86_400.0  # seconds after which a file of another machine's process counts as left behind


def temporary(root: Path) -> list[Path]:
    """Temporary files and folders whose writers are gone."""
    local = filesystems.is_local(root)
    return sorted(path for path in _below(root) if _left(path, local))


def queued(root: Path) -> list[Path]:
    """Entries of the queue that cannot be read, or name no run that is there."""
    return sorted(file for file in (root / "queue").glob("[!.]*.json") if not _waits(root, file))


def remove(root: Path, found: Iterable[Path]) -> list[Path]:
    """Remove what was found, unless it is no leftover any more; what has gone."""
    gone = []
    for path in found:
        with entries.locked(root):
            if _still(root, path):
                filesystems.remove(path)
                gone.append(path)
    return gone


def _still(root: Path, path: Path) -> bool:
    if path.parent == root / "queue" and path.suffix == ".json":
        return not _waits(root, path)
    return _left(path, filesystems.is_local(root))


def _waits(root: Path, file: Path) -> bool:
    directory = RunDirectory(root / "runs" / file.stem)
    if not directory.spec_file.is_file():
        return False
    return entries.find(directory) is not None or _names(file, directory.run_id)


def _names(file: Path, run_id: str) -> bool:
    """Whether an entry that cannot be read is one all the same, such as of a newer version."""
    try:
        return bool(json.loads(file.read_bytes())["run_id"] == run_id)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _below(folder: Path) -> Iterator[Path]:
    """Everything below a folder but what is in temporary folders."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if name.endswith(".tmp"):
                yield Path(place, name)
        folders[:] = [name for name in folders if not name.endswith(".tmp")]


def _left(path: Path, local: bool) -> bool:
    match = _TEMPORARY.fullmatch(path.name)
    if match is None or Path("/proc", match[1]).exists():
        return False
    try:
        return local or time.time() - path.lstat().st_mtime > _FAR
    except FileNotFoundError:
        return False
