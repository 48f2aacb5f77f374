"""The runs that wait: one small file each under `queue/`, changed under one lock by any client."""

from __future__ import annotations

import fcntl
import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.filesystems import is_local, sync
from engine.launchspec import LaunchSpec
from engine.rundir import RunDirectory, begun, write_json

# What became of something that waits; a cluster has what is `elsewhere` in its own queue.
Change = Literal["changed", "same", "elsewhere"]
# a number of repetitions within a pattern would take as long to compile as all else of this file
_Name = Annotated[str, Field(pattern=r"^[^/\x00]+$", max_length=255)]  # that of a folder
_Text = Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=4096)]  # for an environment


class Entry(BaseModel):
    """queue/<run id>.json: a run that waits, and what its turn depends on.

    Attributes:
        order: earlier first (nanoseconds since 1970 when it was queued).
        priority: higher before lower, whatever the order.
        visible: CUDA_VISIBLE_DEVICES of who queued it; None if it was not set.
        user: who queued it.
        host: the machine on which it was queued, and is to run; empty where the root is on a file
            system that no other machine has.
        after: ids of runs that have to have finished before.
        hold: whether it waits until somebody releases it.
        not_before: seconds since 1970 before which it is not tried again.
        retries: how often in a row it was queued again by itself.
        alone: whether it shares its device with no other run.
        job: its number in a cluster's own queue, for as long as the cluster has it.
        attempt: its newest attempt when it was queued, 0 before the first; None from older
            versions.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    run_id: _Name
    order: int
    priority: int = 0
    visible: _Text | None = None
    user: _Text = ""
    host: _Text = ""
    after: tuple[_Name, ...] = ()
    hold: bool = False
    not_before: float = 0.0
    retries: int = 0
    alone: bool = False
    job: str | None = None
    attempt: int | None = None
    launch: LaunchSpec

    @property
    def here(self) -> bool:
        """Whether this machine is to run it."""
        return self.host in ("", socket.gethostname())

    @property
    def turn(self) -> tuple[int, int]:
        """What the queue is sorted by."""
        return -self.priority, self.order


class Waiting:
    """All entries of a root, of which only those that changed are read again."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "queue"
        self._known: dict[str, tuple[tuple[int, int], Entry | None]] = {}

    def read(self) -> list[Entry]:
        """The runs that wait, in the order in which they are due."""
        known = {}
        for file in _files(self._folder):
            try:
                found = file.stat()
            except FileNotFoundError:  # started meanwhile
                continue
            stamp = found.st_mtime_ns, found.st_ino
            before = self._known.get(file.name)
            same = before is not None and before[0] == stamp
            known[file.name] = before if same and before else (stamp, _parse(file.path))
        self._known = known
        return sorted((entry for _, entry in known.values() if entry), key=lambda one: one.turn)


def read(root: Path) -> list[Entry]:
    """Runs that wait, in the order in which they are due."""
    return Waiting(root).read()


def find(directory: RunDirectory) -> Entry | None:
    """The entry of one run; None if it does not wait."""
    return _parse(str(directory.queue_file))


def write(root: Path, entry: Entry) -> None:
    """Queue a run, or change its entry; the caller holds the lock.

    Raises:
        OSError: the file can't be written; then nothing has changed.
    """
    file = root / "queue" / f"{entry.run_id}.json"
    write_json(file, entry.model_dump(mode="json", exclude_defaults=True))


def change(directory: RunDirectory, **fields: Any) -> bool:
    """Change the entry of a run that waits; False if it does not. The caller holds the lock."""
    entry = find(directory)
    if entry is None:
        return False
    write(directory.root, entry.model_copy(update=fields))
    return True


def started(entry: Entry, directory: RunDirectory) -> bool:
    """Whether a run was started since it was queued, by a queue process that was killed then.

    A shim that never was let go, as that process had not come so far, has started nothing. The
    entry of a cluster's job stays while the cluster has the job, however often it starts.
    """
    launch = directory.launch()
    if launch is None or entry.attempt is None or entry.launch.slurm:
        return False
    return launch.attempt > entry.attempt and begun(directory) >= launch.attempt


def host(root: Path) -> str:
    """What tells this machine from others that may work on the same root, if any do."""
    return "" if is_local(root) else socket.gethostname()


def person() -> str:
    """Who works here: people who share an account are told apart by LTHTUI_USER."""
    try:
        return os.environ.get("LTHTUI_USER") or getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the lock under which the queue is changed."""
    for folder in (root / "runs", root / "queue"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(root / "queue" / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


@contextmanager
def changing(root: Path) -> Iterator[None]:
    """As `locked`, for who says afterwards what has changed: by then it is on the disk."""
    with locked(root):
        yield
        sync(root / "queue")


def _files(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return [one for one in found if one.name.endswith(".json") and one.name[0] != "."]
    except FileNotFoundError:
        return []


def _parse(path: str) -> Entry | None:
    try:
        with open(path, "rb") as file:
            entry = Entry.model_validate_json(file.read())
    except (OSError, ValidationError):  # started meanwhile, or not ours
        return None
    named = os.path.basename(path) == f"{entry.run_id}.json"  # or it would reach elsewhere
    return entry if named else None
