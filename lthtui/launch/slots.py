"""The ledger of who holds which device: one locked file per place, so that the kernel frees it.

A place's lock is taken by the queue process and inherited by the run's shim and worker. It is free
again when the last of them is gone, whoever was killed, and whether or not anybody watched.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from engine.rundir import RunDirectory
from lthtui.launch import devices
from lthtui.launch.admission import Full, Holder, driver_refusal, refusal
from lthtui.launch.devices import CPU, Device
from lthtui.launch.limits import EVERY
from lthtui.launch.occupancy import Tenant, survey

__all__ = ["Full", "Holder", "Ledger", "Place", "Taken"]
NONE: Mapping[str, int] = MappingProxyType({})
NOBODY = Holder(run_id="", threads=1, per_device=1, alone=True)  # where a file does not say who


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
    """All places of one root on this machine. Any number of processes may take places at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def places(self) -> list[Place]:
        """Places that name a run. One that is not held any more belongs to a run that ended."""
        try:
            paths = sorted(self.folder.iterdir())
        except FileNotFoundError:  # which only whoever takes a place makes
            return []
        return [place for path in paths for place in _read(path)]

    def take(
        self, suited: Sequence[Device], holder: Holder, limits: Mapping[str, int] = NONE
    ) -> Taken | Full:
        """Take a place on the emptiest device that has room, the first of them that is.

        `limits` says how many runs a device takes at most, by its UUID, its index or `*`.

        Raises:
            OSError: the place's file can't be written.
        """
        with self._locked():
            held = [place for place in self.places() if place.held]
            on = {d: [p.holder for p in held if p.device == d.name] for d in suited}
            refusals = []
            for device in sorted(on, key=lambda device: len(on[device])):
                found = self._try(device, holder, on[device], _most(device, limits))
                if isinstance(found, Taken):
                    return found
                refusals.append(found)
        return _together(refusals)

    def clear(self, place: Place) -> None:
        """Forget the run of a place that is free again; one that somebody took meanwhile stays."""
        with self._locked():
            for found in _read(place.path):
                if not found.held and found.holder.run_id == place.holder.run_id:
                    place.path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep others from taking or clearing places, so that what was counted stays true."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(f"{self.folder}.lock", flags, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)

    def _try(
        self, device: Device, holder: Holder, others: Sequence[Holder], most: int | None
    ) -> Taken | Full:
        if refused := refusal(device, holder, others, most):
            return refused
        if device.name == CPU:
            return self._take(device, holder)
        load = devices.load(device)
        found = survey(load, [self._tenant(other) for other in others]) if load else None
        if refused := driver_refusal(device, holder, found):
            return refused
        foreign = found.foreign if found else 0
        return self._take(device, holder.model_copy(update={"before": foreign}))

    def _tenant(self, holder: Holder) -> Tenant:
        launch = RunDirectory(self.folder.parents[1] / "runs" / holder.run_id).launch()
        return Tenant(launch.process.pid if launch else None, holder.memory or 0, holder.before)

    def _take(self, device: Device, holder: Holder) -> Taken:
        for index in count():
            path = self.folder / f"{device.name}.{index}"
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            free = _lock(file, fcntl.LOCK_EX)
            if free and _holder(os.read(file, 65_536)).run_id in (NOBODY.run_id, holder.run_id):
                break  # one that names another run stays until that run's end has been seen to
            os.close(file)
        try:
            os.ftruncate(file, 0)
            os.lseek(file, 0, os.SEEK_SET)
            os.write(file, holder.model_dump_json().encode())
        except OSError:  # a full disk: nobody is to wait for a run that never started
            os.close(file)
            raise
        return Taken(path, device.name, file)


def _most(device: Device, limits: Mapping[str, int]) -> int | None:
    named = (limits.get(name) for name in (device.name, device.index, EVERY))
    return next((most for most in named if most is not None), None)


def _together(refusals: list[Full]) -> Full:
    """One answer for all devices that were tried."""
    if not refusals:
        return Full("a run before it waits for the same device", ours=True)
    first, *rest = refusals
    more = f"; {rest[0].reason}" if len(rest) == 1 else f"; {len(rest)} more are full, too"
    return Full(first.reason + (more if rest else ""), all(one.ours for one in refusals))


def _read(path: Path) -> Iterator[Place]:
    """The place of one file; nothing if it is gone, or can't be read and nobody holds it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        held = not _lock(file, fcntl.LOCK_SH)
        holder = _holder(os.read(file, 65_536))
        if held or holder is not NOBODY:
            yield Place(path, path.name.rpartition(".")[0], holder, held)
    finally:
        os.close(file)


def _holder(text: bytes) -> Holder:
    try:
        return Holder.model_validate_json(text)
    except ValidationError:
        return NOBODY


def _lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
