"""Ends what a run left behind whose shim was killed before it could sweep by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from engine.processes import Process
from engine.rundir import RunDirectory


def marks(directory: RunDirectory, attempt: int) -> dict[str, str]:
    """What the environment of everything that an attempt starts says."""
    return {"LTHTUI_RUN": str(directory.path), "LTHTUI_ATTEMPT": str(attempt)}


def sweep(directory: RunDirectory) -> None:
    """Kill what is left of the newest attempt if its shim is gone and did not see to that.

    A process that gave itself another environment is not known, and keeps the place on the device
    for as long as it holds that.
    """
    launch, left = directory.launch(), directory.exit()
    if launch is None or not launch.process.here or launch.process.alive:
        return
    if left is None or left.attempt < launch.attempt:
        for process in _marked(marks(directory, launch.attempt)):
            process.signal(signal.SIGKILL)


def _marked(wanted: dict[str, str]) -> Iterator[Process]:
    """The processes of this machine whose environment has these variables."""
    lines = {f"{name}={value}".encode() for name, value in wanted.items()}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            process = Process.of(int(pid))
            said = Path("/proc", pid, "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended, or is somebody else's
            continue
        if lines <= set(said):
            yield process
