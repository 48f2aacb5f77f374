"""What a person can do about a run that failed, by the cause that the queue knows."""

from __future__ import annotations

from engine.causes import Cause
from engine.rundir import RunDirectory
from lthtui.launch import retrying

HINTS = {
    Cause.KILLED: "somebody or the system killed it; R resumes it from its last checkpoint",
    Cause.MEMORY: "give it a smaller train.batch_size, or a device for itself with per_device: 1",
    Cause.DISK: "`lthtui gc` says what can go; then R resumes it",
    Cause.DIVERGED: "run its spec with a lower learning rate",
    Cause.DATA: "`lthtui data inspect` on its spec says which images are broken or missing",
    Cause.SPEC: "`lthtui check` on its spec says what it can't have",
    Cause.ERROR: "its log has the whole message; R tries it again",
}


def hint(directory: RunDirectory) -> str:
    """One line; empty for a run that did not fail."""
    why = retrying.cause(directory)
    return HINTS[why] if why else ""
