"""What runs can be placed on: GPUs by UUID as NVML lists them, or the CPU cores of this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from engine.errors import UsageError

CPU = "cpu"
QUOTA = "/sys/fs/cgroup/cpu.max"


@dataclass(frozen=True)
class Device:
    """Something that runs are placed on.

    Attributes:
        name: `cpu`, or the UUID of a GPU.
        label: what people call it, such as `0: NVIDIA H100`.
        cores: CPU cores that its runs share; GPUs don't limit them.
        memory: bytes of a GPU; 0 for the CPU and where the driver does not tell.
    """

    name: str
    label: str
    cores: int = 0
    memory: int = 0

    @property
    def index(self) -> str:
        """The number by which people name it: the beginning of its label."""
        return self.label.partition(": ")[0]

    @property
    def title(self) -> str:
        """What it is called in messages, such as `GPU 0`."""
        return "CPU" if self.name == CPU else f"GPU {self.index}"


@cache
def gpus() -> tuple[Device, ...]:
    """All GPUs of this machine in PCI bus order; none where there is no NVIDIA driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no library, no driver, no permission: in every case no GPU to use
        return ()
    try:
        return tuple(_gpu(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount()))
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()


def _gpu(nvml: Any, index: int) -> Device:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    return Device(nvml.nvmlDeviceGetUUID(handle), f"{index}: {nvml.nvmlDeviceGetName(handle)}")


def allowed(listed: Sequence[Device], visible: str | None) -> tuple[Device, ...]:
    """The GPUs that a CUDA_VISIBLE_DEVICES allows; all if it is not set (None).

    As CUDA reads it: indices, UUIDs or unique beginnings of them; the first entry that names no GPU
    ends the list, and an empty value means none.
    """
    if visible is None:
        return tuple(listed)
    found: list[Device] = []
    for word in visible.split(","):
        device = _named(listed, word.strip())
        if device is None:
            break
        if device not in found:
            found.append(device)
    return tuple(found)


def _named(listed: Sequence[Device], word: str) -> Device | None:
    """The GPU of an index in PCI bus order, or of a UUID's beginning."""
    if word.isdecimal():
        return listed[int(word)] if int(word) < len(listed) else None
    matches = [device for device in listed if word and device.name.startswith(word)]
    return matches[0] if len(matches) == 1 else None


def eligible(
    wanted: Literal["auto", "cpu"] | Sequence[str], visible: str | None
) -> tuple[Device, ...]:
    """Devices that a run may be placed on, best first; `wanted` is a spec's `launch.devices`.

    Raises:
        UsageError: a GPU is asked for that is not here, or that CUDA_VISIBLE_DEVICES hides.
    """
    if wanted == "cpu":
        return (cpu(),)
    listed = allowed(gpus(), visible)
    if wanted == "auto":
        return listed or (cpu(),)
    found = [_named(gpus(), word) for word in wanted]
    for word, device in zip(wanted, found, strict=True):
        if device not in listed:
            raise UsageError(f"launch.devices: no GPU '{word}' here; {_what(listed)}")
    return tuple(device for device in found if device)


def _what(listed: Sequence[Device]) -> str:
    if not listed:
        return "there is none that can be used; write devices: cpu or devices: auto"
    return "there are " + ", ".join(f"{device.label} ({device.name})" for device in listed)


def cpu() -> Device:
    """The CPU cores that this process may use."""
    return Device(CPU, CPU, cores())


def cores() -> int:
    """CPU cores that this process may use, at least 1; a container's quota counts."""
    usable = len(os.sched_getaffinity(0))
    try:
        with open(QUOTA) as file:
            quota, period = file.read().split()
        return max(1, min(usable, int(quota) // int(period)))
    except (OSError, ValueError):  # no control groups here, or no quota ("max")
        return usable


def environment(device: str) -> dict[str, str]:
    """What makes a process see exactly this device."""
    return {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": "" if device == CPU else device,
    }
