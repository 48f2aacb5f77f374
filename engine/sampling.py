"""Load of the host and the device, sampled beside training and named as MLflow names it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from engine import gpu
from engine.errors import Fenced
from engine.events import Event, Sampled

SECONDS = 10.0


class Sampler:
    """Emits a `sampled` event every ten seconds, from a thread of its own.

    Args:
        tick: number of the first sample, so that a resumed run goes on counting.
    """

    def __init__(self, emit: Callable[[Event], object], folder: Path, tick: int) -> None:
        self._emit, self._folder, self._tick = emit, folder, tick
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(SECONDS):
            try:
                self._emit(Sampled(tick=self._tick, metrics=sample(self._folder)))
            except Fenced:
                return  # the worker learns of it, too, and leaves
            except OSError:
                continue  # as of a full disk
            self._tick += 1


def sample(folder: Path) -> dict[str, float]:
    """CPU, memory, disk and GPU figures; `folder` names the disk."""
    import psutil

    memory, disk = psutil.virtual_memory(), psutil.disk_usage(str(folder))
    return {
        "cpu_utilization_percentage": psutil.cpu_percent(),
        "system_memory_usage_megabytes": memory.used / 1e6,
        "system_memory_usage_percentage": memory.percent,
        "process_memory_usage_megabytes": psutil.Process().memory_info().rss / 1e6,
        "disk_available_megabytes": disk.free / 1e6,
        "disk_usage_percentage": disk.percent,
        **_gpu(),
    }


def _gpu() -> dict[str, float]:
    """Figures of the first GPU this process may see; empty without one."""
    if (found := gpu.opened()) is None:
        return {}
    nvml, handle = found
    try:
        use = nvml.nvmlDeviceGetUtilizationRates(handle)
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        watts = nvml.nvmlDeviceGetPowerUsage(handle) / 1e3
    except Exception:  # one without these figures: nothing to report
        return {}
    return {
        "gpu_0_utilization_percentage": float(use.gpu),
        "gpu_0_memory_usage_megabytes": memory.used / 1e6,
        "gpu_0_memory_usage_percentage": 100 * memory.used / memory.total,
        "gpu_0_power_usage_watts": watts,
    }
