"""Energy that a device has drawn, by counters of the whole device, whatever else runs there.

NVIDIA GPUs count millijoules since the driver was loaded, from Volta on. CPUs count microjoules of
their packages and memory (RAPL), which most systems let only administrators read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from engine import gpu

POWERCAP = Path("/sys/class/powercap")


class Counter(Protocol):
    """See `of`."""

    def joules(self) -> float | None:
        """Drawn since the counter was made; None once it cannot be read."""
        ...

    def others(self) -> bool:
        """Whether programs other than this one are known to use the device now."""
        ...


class Gpu:
    """The counter of the GPU that this process may see."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle
        self._first = self._read()

    def joules(self) -> float | None:
        now = self._read()
        return None if now is None or self._first is None else (now - self._first) / 1e3

    def others(self) -> bool:
        try:
            found = self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle)
        except Exception:  # some drivers do not tell
            return False
        return any(one.pid != os.getpid() for one in found)

    def _read(self) -> int | None:
        try:
            return int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))
        except Exception:  # older GPUs and instances of one have no counter
            return None


class Rapl:
    """The counters of the CPUs' packages and of memory; to be read every few minutes."""

    def __init__(self, zones: list[Path]) -> None:
        self._range = {zone: _number(zone / "max_energy_range_uj") for zone in zones}
        self._last = {zone: _number(zone / "energy_uj") for zone in zones}
        self._sum = 0.0

    def joules(self) -> float | None:
        for zone, last in self._last.items():
            now, most = _number(zone / "energy_uj"), self._range[zone]
            if now is None or last is None or most is None:
                return None
            self._sum += (now - last if now >= last else now - last + most) / 1e6  # begins anew
            self._last[zone] = now
        return self._sum

    def others(self) -> bool:
        return False  # there are always others


def of(device: str, folder: Path = POWERCAP) -> Counter | None:
    """The counter of a type of device, as torch calls it; None where it has none."""
    if device == "cuda":
        found = gpu.opened()
        return Gpu(*found) if found else None
    zones = [*_zones(folder)]
    return Rapl(zones) if zones else None


def _zones(folder: Path) -> Iterator[Path]:
    """Those that hold no part of one another: the whole platform holds packages, they cores."""
    for zone in sorted(folder.glob("*-rapl:*")):
        try:
            name = (zone / "name").read_text().strip()
        except OSError:
            continue
        if name.startswith("package") or name == "dram":
            yield zone


def _number(file: Path) -> int | None:
    """None where it cannot be read."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
