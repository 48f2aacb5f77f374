"""Where workers run: each backend is one file with `start`, `adopt` and a worker that they return.

`start(directory, attempt, threads, taken) -> Worker` prepares one attempt of a run; nothing of
it runs before `release`, so that launch.json can say where it runs first.
`adopt(directory, launch) -> Worker` takes over an attempt that another queue process started.
"""

from __future__ import annotations

from typing import Protocol

from engine.processes import Process


class Worker(Protocol):
    """One attempt of a run, however it is run."""

    process: Process

    def release(self) -> None:
        """Let it begin."""

    def fileno(self) -> int:
        """A file descriptor that becomes readable when it has ended."""

    def ended(self) -> bool:
        """Whether it has ended."""

    def close(self) -> None:
        """Give back what this process holds of it; it goes on."""
