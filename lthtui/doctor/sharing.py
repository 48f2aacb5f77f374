"""How many runs of a spec should share a device here, in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from engine.launchspec import show_size
from engine.spec import RunSpec
from lthtui.launch import devices
from lthtui.launch.advice import Row, advise, recommended

IDLE = 0.5  # load for each core, up to which a measurement means something


def measure(spec: RunSpec) -> dict[str, Any]:
    """Try 1, 2, 4... runs at once on the device that a run of this spec would be placed on.

    Raises:
        UsageError: there is no such device.
        LthError: not even one run can be trained.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    device = devices.eligible(spec.launch.devices, visible, spec.launch.memory)[0]
    load = os.getloadavg()[0]  # of before: what is tried here is no other's load
    rows = advise(spec, device)
    return {
        "spec": spec.name,
        "device": device.label,
        "load": load,
        "rows": [asdict(row) for row in rows],
        "per_device": recommended(rows),
    }


def lines(advice: dict[str, Any]) -> Iterator[str]:
    """A table, and what to write into the spec."""
    rows = [Row(**row) for row in advice["rows"]]
    alone, best = rows[0], advice["per_device"]
    yield f"runs of {advice['spec']} at once on {advice['device']}:"
    for row in rows:
        memory = f", {show_size(row.memory)} each" if row.memory else ""
        more = row.images_per_second / alone.images_per_second
        yield f"{row.runs:>4}  {row.images_per_second:,.0f} images/s in all ({more:.2f} x){memory}"
    if advice["load"] > IDLE * devices.cores():
        yield (
            f"others kept the CPU busy (load {advice['load']:.1f}), which slows threads that wait"
            " for one another most: try again when it is idle"
        )
        return
    yield f"write into the spec: launch: {{per_device: {best}, threads: auto}}"
