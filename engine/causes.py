"""Why a run failed, as far as it decides whether to try again."""

from __future__ import annotations

import errno
from enum import StrEnum

from engine.errors import DataError, Diverged, SpecError, UsageError


class Cause(StrEnum):
    """The class of a failure; `run_ended` carries it, and where nothing could, the queue infers it.

    Attributes:
        KILLED: by a signal that nobody of ours sent, or the machine went.
        MEMORY: the device or the machine had no memory left.
        DISK: a file system was full.
        DIVERGED: a loss became NaN or infinite; it would again.
        DATA: images are missing or broken.
        SPEC: the spec asks for something impossible.
        ERROR: anything else.
    """

    KILLED = "killed"
    MEMORY = "memory"
    DISK = "disk"
    DIVERGED = "diverged"
    DATA = "data"
    SPEC = "spec"
    ERROR = "error"

    @property
    def passes(self) -> bool:
        """Whether the same run may well succeed when it is simply started again."""
        return self in (Cause.KILLED, Cause.MEMORY, Cause.DISK)


def of(error: BaseException) -> Cause:
    """The class of an exception that ended a worker's training."""
    if isinstance(error, Diverged):
        return Cause.DIVERGED
    if isinstance(error, DataError):
        return Cause.DATA
    if isinstance(error, SpecError | UsageError):
        return Cause.SPEC
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Cause.DISK
    starved = isinstance(error, OSError) and error.errno == errno.ENOMEM
    if starved or isinstance(error, MemoryError) or _out_of_memory(error):
        return Cause.MEMORY
    return Cause.ERROR


def _out_of_memory(error: BaseException) -> bool:
    """torch raises a RuntimeError of its own on the device, and a plain one on the CPU."""
    text = f"{type(error).__name__}: {error}".lower()
    signs = ("outofmemory", "out of memory", "can't allocate memory", "cannot allocate memory")
    return any(sign in text for sign in signs)
