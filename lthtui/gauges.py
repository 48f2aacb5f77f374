"""How busy this machine is: its GPUs with the runs on each, its cores, memory and disk."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from lthtui.counting import counted
from lthtui.launch import devices, lease, occupancy
from lthtui.launch.devices import Device
from lthtui.launch.slots import Ledger, Place
from lthtui.text import clean_line

FRESH = 0.5  # seconds for which a reading is new enough; cores at work for less say little
MOMENT = 0.1  # seconds over which the first reading looks at the cores


@dataclass(frozen=True)
class Gauge:
    """One device. What the driver does not tell is None, or 0 for memory.

    Attributes:
        title: as `GPU 0`; `model` is what it is, as `NVIDIA H100` or `2 cores, no GPU`.
        busy: fraction of the last moments; of all cores together for the CPU.
        used, total: bytes; of the machine's memory for the CPU.
        runs: ids of this root's runs on it.
        strangers: who else computes there, in words; empty if nobody is known to.
    """

    title: str
    model: str
    busy: float | None
    used: int
    total: int
    watts: float | None = None
    celsius: float | None = None
    runs: tuple[str, ...] = ()
    strangers: str = ""


@dataclass(frozen=True)
class Machine:
    """All devices, GPUs first; `free` and `disk` are bytes of the file system of the root."""

    devices: tuple[Gauge, ...]
    free: int
    disk: int


class Watch:
    """Looks at the machine of a root again and again, from whichever thread."""

    def __init__(self, root: Path) -> None:
        self._root, self._lock = root, threading.Lock()
        self._last: tuple[float, Machine] | None = None  # when it was read, and what
        self._cores: tuple[float, float] | None = None

    def read(self) -> Machine:
        """The machine as it is; the CPU is as busy as it was since the reading before.

        Who asks again at once is given the same reading.
        """
        with self._lock:
            if self._last is None or time.monotonic() - self._last[0] >= FRESH:
                self._last = (time.monotonic(), self._look())
            return self._last[1]

    def _look(self) -> Machine:
        places = [place for place in Ledger(lease.slots(self._root)).places() if place.held]
        folder = next(path for path in (self._root, *self._root.parents) if path.exists())
        disk = shutil.disk_usage(folder)
        gauges = [_gpu(device, places) for device in devices.gpus()]
        cpu = _cpu(places, self._busy(), alone=not gauges)
        return Machine((*gauges, cpu), disk.free, disk.total)

    def _busy(self) -> float:
        """Fraction of all cores' time that they were at work, since this was last asked.

        Not by `psutil.cpu_percent`, which tells each thread of the time since its own last call.
        """
        if self._cores is None:
            self._cores = _spent()
            time.sleep(MOMENT)
        before, self._cores = self._cores, _spent()
        busy, whole = (now - then for now, then in zip(self._cores, before, strict=True))
        return min(max(busy / whole, 0.0), 1.0) if whole > 0 else 0.0


def _spent() -> tuple[float, float]:
    """Seconds of all cores since the machine was started: at work, and in all."""
    times = psutil.cpu_times()._asdict()
    whole = sum(times.values()) - times.get("guest", 0.0) - times.get("guest_nice", 0.0)  # in user
    return whole - times["idle"] - times.get("iowait", 0.0), whole


def _gpu(device: Device, places: list[Place]) -> Gauge:
    load, model = devices.load(device), clean_line(device.label.partition(": ")[2])
    runs = _runs(device.name, places)
    if load is None:
        return Gauge(device.title, model, None, 0, device.memory, runs=runs)
    strangers = "" if runs else occupancy.survey(load, ()).strangers
    return Gauge(
        device.title,
        model,
        load.utilisation,
        load.used,
        load.total,
        load.watts,
        load.celsius,
        runs,
        clean_line(strangers),
    )


def _cpu(places: list[Place], busy: float, alone: bool) -> Gauge:
    memory, cores = psutil.virtual_memory(), devices.cores()
    model = counted(cores, "core") + (", no GPU" if alone else "")
    runs = _runs(devices.CPU, places)
    return Gauge("CPU", model, busy, memory.total - memory.available, memory.total, runs=runs)


def _runs(device: str, places: list[Place]) -> tuple[str, ...]:
    return tuple(place.holder.run_id for place in places if place.device == device)
