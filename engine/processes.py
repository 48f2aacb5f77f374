"""Processes: known by more than a pid, which is reused within minutes, or left to themselves."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import suppress
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
    def age(self) -> float:
        """Seconds since it was started, for a process of this host and boot."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.start / os.sysconf("SC_CLK_TCK")

    @property
    def alive(self) -> bool:
        """Whether this very process runs on this host now; a zombie doesn't."""
        return self.here and self.boot == _boot() and _start(self.pid) == self.start

    def gone(self) -> Process:
        """The same as one that runs no more, whatever runs: it belongs to no boot of this host."""
        return self.model_copy(update={"host": socket.gethostname(), "boot": "none"})

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


def detach(command: list[str], log: Path) -> int:
    """Start a process that outlives this one: a session of its own, nothing to read.

    It is no zombie when it ends, however long this process goes on: a thread waits for it.

    Args:
        log: the file to which its output is appended.

    Returns:
        Its pid.

    Raises:
        OSError: it can't be started.
    """
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        command[0],
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    threading.Thread(target=_reap, args=(pid,), name=f"reaper of {pid}", daemon=True).start()
    return pid


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


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
