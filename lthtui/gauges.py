"""How busy this machine is: its GPUs with the runs on each, its cores, memory and disk."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from lthtui.counting import counted
from lthtui.launch import devices, lease, occupancy
from lthtui.launch.devices import Device
from lthtui.launch.slots import Ledger, Place
from lthtui.text import clean_line


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


def read(root: Path) -> Machine:
    """Look at the machine; the CPU is as busy as it was since the last call in this process."""
    places = [place for place in Ledger(lease.slots(root)).places() if place.held]
    folder = next(path for path in (root, *root.parents) if path.exists())
    disk = shutil.disk_usage(folder)
    gauges = [_gpu(device, places) for device in devices.gpus()]
    return Machine((*gauges, _cpu(places, alone=not gauges)), disk.free, disk.total)


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


def _cpu(places: list[Place], alone: bool) -> Gauge:
    memory, cores = psutil.virtual_memory(), devices.cores()
    model = counted(cores, "core") + (", no GPU" if alone else "")
    busy = psutil.cpu_percent() / 100
    runs = _runs(devices.CPU, places)
    return Gauge("CPU", model, busy, memory.total - memory.available, memory.total, runs=runs)


def _runs(device: str, places: list[Place]) -> tuple[str, ...]:
    return tuple(place.holder.run_id for place in places if place.device == device)
