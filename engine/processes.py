"""Which process is which: a pid alone is reused within minutes, so a start time goes with it."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Process(BaseModel):
    """A process of one host and one boot: `start` is field 22 of /proc/PID/stat (clock ticks)."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    host: str
    boot: str
    pid: int
    start: int

    @classmethod
    def of(cls, pid: int) -> Process:
        """Identify a process of this host.

        Raises:
            ProcessLookupError: there is no such process.
        """
        start = _start(pid)
        if start is None:
            raise ProcessLookupError(f"no process {pid}")
        return cls(host=socket.gethostname(), boot=_boot(), pid=pid, start=start)

    @property
    def here(self) -> bool:
        """Whether it belongs to this host."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether this very process runs on this host now; a zombie doesn't."""
        return self.here and self.boot == _boot() and _start(self.pid) == self.start

    def signal(self, number: int) -> bool:
        """Send a signal to this very process; False if it is gone. Never hits a reused pid."""
        if not self.alive:
            return False
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            if not self.alive:
                return False
            signal.pidfd_send_signal(handle, number)
            return True
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _start(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])
