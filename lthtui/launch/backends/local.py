"""Runs workers on this machine, each under a shim that outlives whoever started it.

The environment variable LTHTUI_WORKER replaces `python -P -m engine` (shell words, to which the run
folder is added), so that tests can play a worker's part.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

from engine.processes import Process
from engine.rundir import Launch, RunDirectory
from lthtui.launch import devices
from lthtui.launch.slots import Taken
from lthtui.launch.sweeping import marks

NAME = "local"
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGQUIT, signal.SIGHUP)
SHIM = Path(__file__).parent.parent / "shim.py"
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}


class LocalWorker:
    """A shim on this machine, and through it a worker."""

    def __init__(self, process: Process, child: subprocess.Popen[bytes] | None, go: int) -> None:
        self.process, self._child, self._go = process, child, go
        self._handle = os.pidfd_open(process.pid)

    def release(self) -> None:
        """Let the shim start the worker."""
        os.write(self._go, b"g")
        os.close(self._go)
        self._go = -1

    def fileno(self) -> int:
        """A pidfd: readable once the shim has ended."""
        return self._handle

    def ended(self) -> bool:
        """Whether the shim has ended, and with it the worker and all that it started."""
        if self._child is not None:
            return self._child.poll() is not None  # which reaps it
        return not self.process.alive

    def close(self) -> None:
        """Close what this process holds open; a shim that was not released ends."""
        os.close(self._handle)
        if self._go >= 0:
            os.close(self._go)
            if self._child is not None:
                self._child.wait()


def worker_command(*arguments: str) -> list[str]:
    """The command line of the worker program."""
    replaced = os.environ.get("LTHTUI_WORKER")
    program = shlex.split(replaced) if replaced else [sys.executable, "-P", "-m", "engine"]
    return [*program, *arguments]


def start(directory: RunDirectory, attempt: int, threads: int, taken: Taken) -> LocalWorker:
    """Start a shim that waits for `release`, and leave the place on the device to it.

    Raises:
        OSError: no process can be started.
    """
    wait, go = os.pipe()
    shim = [sys.executable, "-S", "-E", str(SHIM), str(directory.path), str(attempt), str(wait)]
    held_back = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the shim waits for them
    try:
        child = subprocess.Popen(
            [*shim, "--", *worker_command(str(directory.path))],
            stdin=subprocess.DEVNULL,
            env={
                **os.environ,
                **marks(directory, attempt),
                **_environment(threads, taken.device),
            },
            pass_fds=(wait, taken.file),
            start_new_session=True,
        )
    except OSError:
        os.close(go)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held_back)
        os.close(wait)
    try:
        return LocalWorker(Process.of(child.pid), child, go)
    except OSError:
        os.close(go)  # so that the shim ends
        child.wait()
        raise


def adopt(launch: Launch) -> LocalWorker | None:
    """Watch a shim that another process started; None if it is gone or runs elsewhere."""
    if not launch.process.alive:
        return None
    try:
        return LocalWorker(launch.process, None, -1)
    except ProcessLookupError:
        return None


def _environment(threads: int, device: str) -> dict[str, str]:
    return {
        **QUIET,
        **devices.environment(device),
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": str(threads),
    }


def sync(
    *runs: RunDirectory, report: IO[bytes] | int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start bringing MLflow up to date with the journals of runs whose workers are gone.

    `report` gets what goes wrong, then one line of JSON.
    """
    return subprocess.Popen(
        worker_command("sync", *(str(run.path) for run in runs)),
        stdin=subprocess.DEVNULL,
        stdout=report,
        stderr=subprocess.STDOUT,
        env={**os.environ, **QUIET, **devices.environment(devices.CPU)},
        start_new_session=True,
    )
