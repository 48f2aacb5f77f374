"""Who dispatches a root's runs: one queue process at a time, started and woken by its clients.

Where several machines share the root, each has a queue process of its own for its own runs.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from engine.processes import Process, detach
from lthtui.launch import copied, credentials, entries

PATIENCE = 5.0  # seconds that a queue process gets to end
FRESH = 5.0  # seconds after a call in which a queue process may be on its way


def ensure(root: Path) -> None:
    """Make sure that one queue process looks after this root, and wake it.

    One without the credentials that this process has, which workers get from it, is replaced.
    """
    copied.settle(root)
    lease = take(root, fcntl.LOCK_SH)
    if lease is None and (leader := _leader(root)) and credentials.missing_in(leader):
        lease = _replace(root, leader)
    if lease is None:
        wake(root)
        return
    os.close(lease)
    with suppress(OSError):  # as on a full disk
        _file(root, "called").touch()
    detach([sys.executable, "-P", "-m", "lthtui.launch.dispatcher", str(root)], log_file(root))


def called(root: Path) -> bool:
    """Whether a queue process was called a moment ago, which may not have the lease yet."""
    try:
        return abs(time.time() - _file(root, "called").stat().st_mtime) < FRESH
    except OSError:
        return False


def take(root: Path, kind: int = fcntl.LOCK_EX) -> int | None:
    """Lock the root's lease; a file descriptor that holds it, or None if somebody else does."""
    lease = os.open(_file(root, "lease"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lease, kind | fcntl.LOCK_NB)
        return lease
    except BlockingIOError:
        os.close(lease)
        return None


def sign(lease: int) -> None:
    """Say in the lease that this process holds it; on a full disk it goes on unnamed."""
    os.ftruncate(lease, 0)
    with suppress(OSError):
        os.pwrite(lease, Process.of(os.getpid()).model_dump_json().encode(), 0)


def wake(root: Path) -> None:
    """Have the queue process look at the queue, if there is one."""
    try:
        pipe = os.open(wake_file(root), os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # it is only just starting, or ending: it looks at the queue by itself
        return
    try:
        os.write(pipe, b"w")
    except BlockingIOError:
        pass  # it has been woken often enough
    finally:
        os.close(pipe)


def log_file(root: Path) -> Path:
    """What the queue processes of a root have to say: why a run can't be placed or started."""
    return _file(root, "dispatcher.log")


def wake_file(root: Path) -> Path:
    """The named pipe whose reader is the queue process."""
    return _file(root, "wake")


def slots(root: Path) -> Path:
    """The folder of this machine's ledger."""
    return _file(root, "slots")


def reasons_file(root: Path) -> Path:
    """What the queue process last noted of why runs wait."""
    return _file(root, "reasons")


def _file(root: Path, name: str) -> Path:
    host = entries.host(root)
    return root / "queue" / (f"{name}.{host}" if host else name)


def _leader(root: Path) -> Process | None:
    """The queue process, if it has said who it is."""
    try:
        return Process.model_validate_json(_file(root, "lease").read_bytes())
    except (OSError, ValidationError):
        return None


def _replace(root: Path, leader: Process) -> int | None:
    """End a queue process, which harms no run; the lease, unless another client was faster."""
    leader.signal(signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while (lease := take(root, fcntl.LOCK_SH)) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return lease
