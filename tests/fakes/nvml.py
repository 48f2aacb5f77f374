"""A scripted NVIDIA driver that stands in for pynvml: GPUs, instances, programs and failures."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace

import pynvml as real

from lthtui.launch import nvml

GIB = 2**30


@dataclass
class Card:
    """A GPU or MIG instance; a test changes it at will.

    `hidden` bytes are used without saying by whom; `instances` turn MIG on, None leaves a number
    out. `error` is what every question about it ends with, and `old` drivers know less.
    """

    uuid: str
    name: str = "Card"
    bus: str = "00000000:01:00.0"
    total: int = 80 * GIB
    reserved: int = 0
    hidden: int = 0
    compute: dict = field(default_factory=dict)
    shared: dict = field(default_factory=dict)
    graphics: dict = field(default_factory=dict)
    instances: list | None = None
    mode: int = real.NVML_COMPUTEMODE_DEFAULT
    gauges: bool = True
    error: int | None = None
    old: bool = False

    @property
    def used(self):
        programs = self.graphics | self.compute | self.shared
        return self.hidden + sum(size or 0 for size in programs.values())


def function(method):
    """One of NVML's functions: it notes that it was called, and fails if it is to."""

    @functools.wraps(method)
    def call(driver, *arguments):
        driver.calls.append(method.__name__)
        failure = driver.failing.get(method.__name__)
        if callable(failure):
            failure()
        elif failure is not None:
            raise real.NVMLError(failure)
        card = arguments[0] if arguments else None
        if isinstance(card, Card) and card.error is not None:
            raise real.NVMLError(card.error)
        return method(driver, *arguments)

    call.is_function = True
    return call


class Driver:
    """The module: `failing` names functions with the number of their error, or what they do."""

    def __init__(self, *cards):
        self.cards = cards
        self.failing: dict = {}
        self.calls: list[str] = []

    def __getattr__(self, name):
        """Constants and errors are the real ones; functions that are not here don't exist."""
        if name.startswith("nvml") and callable(getattr(real, name, None)):
            raise NotImplementedError(name)
        return getattr(real, name)

    @classmethod
    def functions(cls):
        return {n: f for n, f in vars(cls).items() if getattr(f, "is_function", False)}

    @function
    def nvmlInit(self): ...

    @function
    def nvmlShutdown(self): ...

    @function
    def nvmlDeviceGetCount(self):
        return len(self.cards)

    @function
    def nvmlDeviceGetHandleByIndex(self, index):
        if self.cards[index].error is not None:
            raise real.NVMLError(self.cards[index].error)
        return self.cards[index]

    @function
    def nvmlDeviceGetHandleByUUID(self, uuid):
        every = [one for card in self.cards for one in (card, *(card.instances or ())) if one]
        found = next((card for card in every if card.uuid == uuid), None)
        if found is None:
            raise real.NVMLError(real.NVML_ERROR_NOT_FOUND)
        return found

    @function
    def nvmlDeviceGetPciInfo(self, handle):
        return SimpleNamespace(busId=handle.bus.encode())

    @function
    def nvmlDeviceGetUUID(self, handle):
        return handle.uuid

    @function
    def nvmlDeviceGetName(self, handle):
        return handle.name

    @function
    def nvmlDeviceGetMigMode(self, device):
        if device.old:
            raise real.NVMLError(real.NVML_ERROR_FUNCTION_NOT_FOUND)
        return [int(device.instances is not None)] * 2

    @function
    def nvmlDeviceGetMaxMigDeviceCount(self, device):
        return len(device.instances)

    @function
    def nvmlDeviceGetMigDeviceHandleByIndex(self, device, index):
        if device.instances[index] is None:
            raise real.NVMLError(real.NVML_ERROR_NOT_FOUND)
        return device.instances[index]

    @function
    def nvmlDeviceGetMemoryInfo(self, handle, version=None):
        if version and handle.old:
            raise real.NVMLError(real.NVML_ERROR_FUNCTION_NOT_FOUND)
        used = handle.used + (0 if version else handle.reserved)
        free = handle.total - handle.used - handle.reserved
        return SimpleNamespace(total=handle.total, used=used, free=free)

    @function
    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        return _processes(handle.compute)

    @function
    def nvmlDeviceGetMPSComputeRunningProcesses(self, handle):
        return _processes(handle.shared)

    @function
    def nvmlDeviceGetGraphicsRunningProcesses(self, handle):
        return _processes(handle.graphics)

    @function
    def nvmlDeviceGetComputeMode(self, handle):
        return handle.mode

    @function
    def nvmlDeviceGetUtilizationRates(self, handle):
        return SimpleNamespace(gpu=_gauge(handle, 37), memory=11)

    @function
    def nvmlDeviceGetPowerUsage(self, handle):
        return _gauge(handle, 61_500)

    @function
    def nvmlDeviceGetTemperature(self, handle, sensor):
        return _gauge(handle, 41)


def _processes(sizes):
    return [SimpleNamespace(pid=pid, usedGpuMemory=size) for pid, size in sizes.items()]


def _gauge(card, value):
    if not card.gauges:
        raise real.NVMLError(real.NVML_ERROR_NOT_SUPPORTED)
    return value


def install(monkeypatch, *cards) -> Driver:
    """Give this process a driver with these cards, of which it knows nothing yet."""
    driver = Driver(*cards)
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    monkeypatch.setattr(nvml, "_driver", nvml.Driver())
    return driver
