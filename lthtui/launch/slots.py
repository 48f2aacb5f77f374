"""The ledger of who holds which device: one locked file per place, so that the kernel frees it.

A place's lock is taken by the queue process and inherited by the run's shim and worker. It is free
again when the last of them is gone, whoever was killed, and whether or not anybody watched.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from lthtui.launch.devices import CPU, Device


class Holder(BaseModel):
    """What a place's file says about the run that holds it.

    Attributes:
        threads: CPU threads that it uses.
        per_device: how many runs it accepts on its device, itself included.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    run_id: str
    threads: int
    per_device: int


@dataclass(frozen=True)
class Place:
    """One place on a device, and the run that its file names."""

    path: Path
    device: str
    holder: Holder
    held: bool


@dataclass
class Taken:
    """A place that this process holds until `close`, and whoever inherits `file` after that."""

    path: Path
    device: str
    file: int

    def close(self) -> None:
        """Leave the place to the processes that inherited it."""
        os.close(self.file)


class Ledger:
    """All places of one root. Only the queue process takes one, so nothing comes in between."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def places(self) -> list[Place]:
        """Places that name a run. One that is not held any more belongs to a run that ended."""
        return [place for path in sorted(self.folder.iterdir()) for place in _read(path)]

    def take(self, devices: Sequence[Device], holder: Holder) -> Taken | None:
        """Take a place on the first device that has room; None if none has."""
        held = [place for place in self.places() if place.held]
        for device in devices:
            others = [place.holder for place in held if place.device == device.name]
            if _room(device, holder, others):
                return self._take(device, holder)
        return None

    def _take(self, device: Device, holder: Holder) -> Taken:
        for index in count():
            path = self.folder / f"{device.name}.{index}"
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            if _lock(file, fcntl.LOCK_EX):
                break
            os.close(file)
        os.ftruncate(file, 0)
        os.write(file, holder.model_dump_json().encode())
        return Taken(path, device.name, file)

    def clear(self, place: Place) -> None:
        """Forget the run of a place that is free again."""
        place.path.unlink(missing_ok=True)


def _room(device: Device, holder: Holder, others: list[Holder]) -> bool:
    """Whether a run fits beside the others: by threads on the CPU, by consent of all on a GPU."""
    if device.name == CPU:
        threads = sum(other.threads for other in others)
        return not others or threads + holder.threads <= device.cores
    return len(others) < min(run.per_device for run in (holder, *others))


def _read(path: Path) -> Iterator[Place]:
    """The place of one file; nothing if it is half written or gone."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        held = not _lock(file, fcntl.LOCK_SH)
        holder = Holder.model_validate_json(os.read(file, 65_536))
        yield Place(path, path.name.rpartition(".")[0], holder, held)
    except ValidationError:
        return
    finally:
        os.close(file)


def _lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
