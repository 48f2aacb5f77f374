"""What runs can be placed on: GPUs by UUID as NVML lists them, or the CPU cores of this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.errors import UsageError
from engine.launchspec import show_size
from lthtui.launch import nvml
from lthtui.launch.nvml import Load

CPU = "cpu"
QUOTA = "/sys/fs/cgroup/cpu.max"
RESERVE = 256 * 2**20  # bytes of a GPU that are not for runs: the driver keeps some for itself


@dataclass(frozen=True)
class Device:
    """Something that runs are placed on.

    Attributes:
        name: `cpu`, or the UUID of a GPU or MIG instance.
        label: what people call it, such as `0: NVIDIA H100`; `0:1: ...` for an instance.
        cores: CPU cores that its runs share; GPUs don't limit them.
        memory: bytes of a GPU; 0 for the CPU and where the driver does not tell.
        parent: UUID of the GPU that a MIG instance is part of, otherwise empty.
    """

    name: str
    label: str
    cores: int = 0
    memory: int = 0
    parent: str = ""

    @property
    def index(self) -> str:
        """The number by which people name it: the beginning of its label."""
        return self.label.partition(": ")[0]

    @property
    def title(self) -> str:
        """What it is called in messages, such as `GPU 0`."""
        return "CPU" if self.name == CPU else f"GPU {self.index}"

    @property
    def capacity(self) -> int:
        """Bytes that its runs may declare together; 0 if its memory is not known."""
        return max(0, self.memory - RESERVE)


def gpus() -> tuple[Device, ...]:
    """All GPUs of this machine in PCI bus order; none where there is no NVIDIA driver.

    A GPU in MIG mode can't be used as a whole: its instances are devices of their own instead.
    """
    return tuple(
        Device(gpu.uuid, f"{gpu.index}: {gpu.name}", memory=gpu.memory, parent=gpu.parent)
        for gpu in nvml.gpus()
    )


def load(device: Device) -> Load | None:
    """What goes on on a GPU; None for the CPU, and if the driver does not say.

    It never raises; `nvml.trouble()` says why there was no answer.
    """
    return None if device.name == CPU else nvml.load(device.name)


def allowed(listed: Sequence[Device], visible: str | None) -> tuple[Device, ...]:
    """The GPUs that a CUDA_VISIBLE_DEVICES allows; all if it is not set (None).

    As CUDA reads it: indices, UUIDs or unique beginnings of them; the first entry that names no GPU
    ends the list, and an empty value means none. A GPU in MIG mode stands for its instances, of
    which CUDA would show the first to any one process.
    """
    if visible is None:
        return tuple(listed)
    found: dict[Device, None] = {}
    for word in visible.split(","):
        named = _named(listed, word.strip())
        if not named:
            break
        found.update(dict.fromkeys(named))
    return tuple(found)


def _named(listed: Sequence[Device], word: str) -> list[Device]:
    """The GPU of an index in PCI bus order or of a UUID's beginning; all instances of it in MIG."""
    if word.isdecimal():
        word = str(int(word))
        return [device for device in listed if device.index.partition(":")[0] == word]
    if instance := [device for device in listed if device.index == word]:
        return instance
    whole = {device.parent or device.name for device in listed}
    matches = [uuid for uuid in whole if word and uuid.startswith(word)]
    if len(matches) == 1:
        return [device for device in listed if matches[0] in (device.parent, device.name)]
    instances = [device for device in listed if word and device.name.startswith(word)]
    return instances if len(instances) == 1 and not matches else []


def eligible(
    wanted: Literal["auto", "cpu"] | Sequence[str], visible: str | None, memory: int | None = None
) -> tuple[Device, ...]:
    """Devices that a run may be placed on, best first; `wanted` is a spec's `launch.devices`.

    Raises:
        UsageError: a GPU is asked for that is not here, that CUDA_VISIBLE_DEVICES hides, or that
            has less than `memory` bytes; or the driver does not say which there are.
    """
    if wanted == "cpu":
        return (cpu(),)
    listed = allowed(gpus(), visible)
    if not listed and visible != "":
        _refuse_silence()
    if wanted == "auto":
        return _spacious(listed, memory) or (cpu(),)
    found: dict[Device, None] = {}
    for word in wanted:
        named = [device for device in _named(gpus(), word) if device in listed]
        if not named:
            raise UsageError(f"launch.devices: no GPU '{word}' here; {_what(listed)}")
        found.update(dict.fromkeys(named))
    return _spacious(tuple(found), memory)


def _refuse_silence() -> None:
    """Better no answer than a night on the CPU because the driver was asleep."""
    trouble = nvml.trouble()
    if trouble and not gpus():
        raise UsageError(
            f"the NVIDIA driver does not say which GPUs there are ({trouble}); see what nvidia-smi"
            " says, or write devices: cpu"
        )


def _spacious(found: tuple[Device, ...], memory: int | None) -> tuple[Device, ...]:
    """Those that have room for a run at all."""
    if memory is None or not found:
        return found
    large = tuple(one for one in found if not one.memory or one.capacity >= memory)
    if not large:
        most = show_size(max(device.capacity for device in found))
        raise UsageError(
            f"launch.memory: {show_size(memory)} is more than any GPU has for this run: at most"
            f" {most}"
        )
    return large


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
