"""Who dispatches a root's runs: one queue process at a time, started and woken by its clients.

Where several machines share the root, each has a queue process of its own for its own runs.
"""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from engine.processes import detach
from lthtui.launch import entries


def ensure(root: Path) -> None:
    """Make sure that one queue process looks after this root, and wake it."""
    if lease := take(root, fcntl.LOCK_SH):
        os.close(lease)
        detach([sys.executable, "-P", "-m", "lthtui.launch.dispatcher", str(root)], log_file(root))
    else:
        _wake(root)


def take(root: Path, kind: int = fcntl.LOCK_EX) -> int | None:
    """Lock the root's lease; a file descriptor that holds it, or None if somebody else does."""
    lease = os.open(_file(root, "lease"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lease, kind | fcntl.LOCK_NB)
        return lease
    except BlockingIOError:
        os.close(lease)
        return None


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


def _wake(root: Path) -> None:
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
