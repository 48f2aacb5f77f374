"""Who dispatches a root's runs: one queue process at a time, started and woken by its clients."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from engine.processes import detach


def ensure(root: Path) -> None:
    """Make sure that one queue process looks after this root, and wake it."""
    if lease := take(root, fcntl.LOCK_SH):
        os.close(lease)
        detach([sys.executable, "-P", "-m", "lthtui.launch.dispatcher", str(root)], log_file(root))
    else:
        _wake(root)


def take(root: Path, kind: int = fcntl.LOCK_EX) -> int | None:
    """Lock the root's lease; a file descriptor that holds it, or None if somebody else does."""
    lease = os.open(root / "queue" / "lease", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lease, kind | fcntl.LOCK_NB)
        return lease
    except BlockingIOError:
        os.close(lease)
        return None


def log_file(root: Path) -> Path:
    """What the queue processes of a root have to say: why a run can't be placed or started."""
    return root / "queue" / "dispatcher.log"


def wake_file(root: Path) -> Path:
    """The named pipe whose reader is the queue process."""
    return root / "queue" / "wake"


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
