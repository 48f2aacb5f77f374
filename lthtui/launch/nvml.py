"""What the NVIDIA driver says: the GPUs and MIG instances of this machine, and their load.

Nothing here raises. The driver may fail at any call, or hang, as while a GPU is reset: then answers
are missing, and `trouble` says why.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any, TypeVar

PATIENCE = 30.0  # seconds in which the driver has to answer; it may have to wake eight GPUs first
MEMORABLE = 10.0  # seconds for which the list of GPUs is believed
NO_GPU = ("NVMLError_LibraryNotFound", "NVMLError_DriverNotLoaded")
T = TypeVar("T")


@dataclass(frozen=True)
class Gpu:
    """A GPU, or an instance of one that is in MIG mode.

    Attributes:
        index: its number in PCI bus order, as `0`; instance 1 of it is `0:1`.
        memory: bytes; 0 if the driver does not tell.
        parent: UUID of the GPU of an instance, otherwise empty.
    """

    uuid: str
    index: str
    name: str
    memory: int
    parent: str = ""


@dataclass(frozen=True)
class Load:
    """What goes on on a GPU.

    Attributes:
        used, free, total: bytes; the driver keeps the rest. All 0 if it does not tell.
        processes: pids of programs that compute there, with their bytes where it tells.
        drawing: bytes of programs that only draw.
        most: how many programs may compute there at once; None unless its compute mode limits them.
        utilisation: fraction of the last moments in which it was busy; None if it does not tell.
        watts, celsius: likewise.
    """

    used: int
    free: int
    total: int
    processes: dict[int, int | None] = field(default_factory=dict)
    drawing: int = 0
    most: int | None = None
    utilisation: float | None = None
    watts: float | None = None
    celsius: float | None = None


class Driver:
    """NVML, kept initialised between questions."""

    def __init__(self) -> None:
        self.trouble: str | None = None
        self._nvml: Any = None
        self._listed: tuple[float, tuple[Gpu, ...]] | None = None
        self._asking: Thread | None = None
        self._lock = Lock()

    def gpus(self) -> tuple[Gpu, ...]:
        """All GPUs in PCI bus order; instances stand for a GPU in MIG mode."""
        if self._listed is None or time.monotonic() - self._listed[0] > MEMORABLE:
            found = self._ask(lambda nvml: _list(nvml, self._note))
            self._listed = time.monotonic(), found or ()
        return self._listed[1]

    def load(self, uuid: str) -> Load | None:
        """What goes on on a GPU; None if the driver does not say."""
        return self._ask(lambda nvml: _load(nvml, uuid))

    def _ask(self, question: Callable[[Any], T]) -> T | None:
        """Ask in a thread, which alone hangs if the driver does; then nobody asks until it ends."""
        with self._lock:
            if self._asking is not None and self._asking.is_alive():
                return None
            answers: list[T] = []
            thread = Thread(target=self._answer, args=(question, answers), daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # too many threads of this user
                self._note(f"{error}")
                return None
            self._asking = thread
            thread.join(PATIENCE)
            if thread.is_alive():
                self._note(f"no answer within {PATIENCE:.0f} s")
        return answers[0] if answers else None

    def _answer(self, question: Callable[[Any], T], answers: list[T]) -> None:
        self.trouble = None
        try:
            answers.append(question(self._library()))
        except Exception as error:  # whatever a broken driver makes of it must stop nobody
            if type(error).__name__ not in NO_GPU and not isinstance(error, ImportError):
                self._note(f"{error}")
            self._forget()

    def _library(self) -> Any:
        if self._nvml is None:
            import pynvml

            pynvml.nvmlInit()
            self._nvml = pynvml
        return self._nvml

    def _forget(self) -> None:
        """Start anew next time: after a reset of the driver nothing else helps."""
        nvml, self._nvml = self._nvml, None
        if nvml is not None:
            _optional(nvml, "nvmlShutdown")

    def _note(self, trouble: str) -> None:
        self.trouble = trouble


_driver = Driver()


def gpus() -> tuple[Gpu, ...]:
    """All GPUs of this machine in PCI bus order, MIG instances instead of a GPU in MIG mode."""
    return _driver.gpus()


def load(uuid: str) -> Load | None:
    """What goes on on a GPU or MIG instance; None if the driver does not say."""
    return _driver.load(uuid)


def trouble() -> str | None:
    """Why something was missing from the driver's last answer; None if nothing was.

    A machine without a driver has no trouble, and no GPU.
    """
    return _driver.trouble


def _list(nvml: Any, note: Callable[[str], None]) -> tuple[Gpu, ...]:
    found: list[Gpu] = []
    for index, number in enumerate(_in_bus_order(nvml)):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(number)
            found += _devices(nvml, str(index), handle)
        except nvml.NVMLError as error:  # one that is lost leaves the others as they are
            note(f"GPU {index}: {error}")
    return tuple(found)


def _in_bus_order(nvml: Any) -> Sequence[int]:
    """The driver's numbers of all GPUs; its own order if one does not say where it is."""
    numbers = range(nvml.nvmlDeviceGetCount())
    buses = [_bus(nvml, number) for number in numbers]
    return sorted(numbers, key=buses.__getitem__) if all(buses) else numbers


def _bus(nvml: Any, number: int) -> Any:
    """The bus id, which sorts as text; None if the GPU does not answer."""
    try:
        return nvml.nvmlDeviceGetPciInfo(nvml.nvmlDeviceGetHandleByIndex(number)).busId
    except nvml.NVMLError:
        return None


def _devices(nvml: Any, index: str, handle: Any) -> Iterator[Gpu]:
    """The GPU itself, or its instances."""
    if not _in_mig_mode(nvml, handle):
        yield _gpu(nvml, index, handle)
        return
    parent = nvml.nvmlDeviceGetUUID(handle)
    for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            instance = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
        except nvml.NVMLError_NotFound:  # numbers may be left out
            continue
        yield _gpu(nvml, f"{index}:{number}", instance, parent)


def _in_mig_mode(nvml: Any, handle: Any) -> bool:
    try:
        return bool(nvml.nvmlDeviceGetMigMode(handle)[0] == nvml.NVML_DEVICE_MIG_ENABLE)
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound):
        return False


def _gpu(nvml: Any, index: str, handle: Any, parent: str = "") -> Gpu:
    name = _optional(nvml, "nvmlDeviceGetName", handle) or "NVIDIA GPU"
    memory = _memory(nvml, handle)
    return Gpu(nvml.nvmlDeviceGetUUID(handle), index, name, memory.total if memory else 0, parent)


def _load(nvml: Any, uuid: str) -> Load:
    handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
    memory = _memory(nvml, handle)
    kinds = ("Compute", "MPSCompute", "Graphics")
    compute, shared, graphics = (
        _optional(nvml, f"nvmlDeviceGet{kind}RunningProcesses", handle) or () for kind in kinds
    )
    processes = {one.pid: one.usedGpuMemory for one in (*compute, *shared)}
    rates = _optional(nvml, "nvmlDeviceGetUtilizationRates", handle)
    power = _optional(nvml, "nvmlDeviceGetPowerUsage", handle)
    return Load(
        used=memory.used if memory else 0,
        free=memory.free if memory else 0,
        total=memory.total if memory else 0,
        processes=processes,
        drawing=sum(one.usedGpuMemory or 0 for one in graphics if one.pid not in processes),
        most=None if shared else _most(nvml, handle),
        utilisation=None if rates is None else rates.gpu / 100,
        watts=None if power is None else power / 1000,
        celsius=_optional(nvml, "nvmlDeviceGetTemperature", handle, nvml.NVML_TEMPERATURE_GPU),
    )


def _most(nvml: Any, handle: Any) -> int | None:
    """What the compute mode allows to programs that don't share the GPU by way of MPS."""
    modes = {nvml.NVML_COMPUTEMODE_PROHIBITED: 0, nvml.NVML_COMPUTEMODE_EXCLUSIVE_PROCESS: 1}
    return modes.get(_optional(nvml, "nvmlDeviceGetComputeMode", handle))


def _memory(nvml: Any, handle: Any) -> Any:
    """Bytes in all, used and free; None for a GPU without memory of its own.

    The second version does not count what the driver keeps for itself as used; old drivers have
    only the first.
    """
    for version in (nvml.nvmlMemory_v2, None):
        try:
            return nvml.nvmlDeviceGetMemoryInfo(handle, version)
        except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound):
            continue
    return None


def _optional(nvml: Any, function: str, *arguments: Any) -> Any:
    """The answer to a question that not every GPU, driver or user gets; None without one."""
    try:
        return getattr(nvml, function)(*arguments)
    except (nvml.NVMLError, AttributeError):
        return None
