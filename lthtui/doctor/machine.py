"""Devices: GPUs and who is on them, CPU cores; and the clock."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from engine.launchspec import show_size
from lthtui.doctor.findings import Case, Finding, Severity
from lthtui.launch import devices, nvml, occupancy

DRIVER = Path("/proc/driver/nvidia/version")
AHEAD = 60.0  # seconds by which what runs wrote may be ahead of the clock


def check(case: Case) -> Iterator[Finding]:
    """Say what runs can be placed on, and whether times can be trusted."""
    yield from _gpus(case)
    yield Finding("devices", Severity.FINE, _cores())
    yield from _clock(case)


def _gpus(case: Case) -> Iterator[Finding]:
    found = nvml.gpus()
    if why := nvml.trouble():
        message = f"the NVIDIA driver does not answer as it should: {why}"
        yield Finding("devices", Severity.WARNING, message, "nvidia-smi")
    for gpu in found:
        yield _gpu(gpu)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if found and visible is not None and not devices.allowed(devices.gpus(), visible):
        message = f"CUDA_VISIBLE_DEVICES='{visible}' hides every GPU from runs queued from here"
        yield Finding("devices", Severity.WARNING, message, "unset CUDA_VISIBLE_DEVICES")


def _gpu(gpu: nvml.Gpu) -> Finding:
    load = nvml.load(gpu.uuid)
    title = f"GPU {gpu.index}: {gpu.name} ({gpu.uuid}){_driver()}"
    if load is None:
        return Finding("devices", Severity.WARNING, f"{title}: no answer", "nvidia-smi")
    use = f"{show_size(load.used)} of {show_size(load.total)} used" if load.total else ""
    busy = "" if load.utilisation is None else f"{load.utilisation:.0%} busy"
    who = occupancy.survey(load, ()).strangers
    parts = [part for part in (use, busy, f"used by {who}" if who else "nobody computes") if part]
    return Finding("devices", Severity.FINE, f"{title}: {', '.join(parts)}")


def _driver() -> str:
    try:
        version = re.search(r"Kernel Module\D*([\d.]+)", DRIVER.read_text())
    except OSError:
        return ""
    return f", driver {version[1]}" if version else ""


def _cores() -> str:
    cores, whole = devices.cores(), os.cpu_count() or 1
    of = f" (of {whole}; the rest is not for this session)" if cores < whole else ""
    gpu = "" if nvml.gpus() else "no NVIDIA GPU; runs go on the CPU: "
    return f"{gpu}{cores} core(s){of}"


def _clock(case: Case) -> Iterator[Finding]:
    """Files that were written later than now: the clock was set back, or another machine's."""
    times = [_changed(run.events_file) for run, _ in case.runs]
    ahead = max(times, default=0.0) - time.time()
    if ahead > AHEAD:
        message = f"the clock is {ahead:,.0f} s behind what runs have written already"
        yield Finding("clock", Severity.WARNING, message, "timedatectl status")


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
