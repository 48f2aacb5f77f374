"""Why a waiting run can't have its turn yet, as far as that does not depend on devices."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.rundir import RunDirectory, Status, status
from lthtui.launch.entries import Entry
from lthtui.launch.limits import Limits
from lthtui.launch.retrying import BACK_OFF


@dataclass(frozen=True)
class Obstacle:
    """Why a run waits.

    Attributes:
        at: seconds since 1970 when it is worth another look; None if something will call.
        passes: whether it goes away without a person; for others no queue process stays.
    """

    reason: str
    at: float | None = None
    passes: bool = True


class Turns:
    """One look at the queue: what it asks about other runs it asks once.

    Args:
        running: how many runs each person has running.
    """

    def __init__(self, root: Path, limits: Limits, running: Mapping[str, int]) -> None:
        self._root, self._limits = root, limits
        self._running = dict(running)
        self._states: dict[str, Status | None] = {}
        self._now = time.time()

    def obstacle(self, entry: Entry) -> Obstacle | None:
        """What keeps a run from its turn; None if nothing but devices can."""
        return next(self._obstacles(entry), None)

    def started(self, entry: Entry) -> None:
        """Count a run that got its turn."""
        self._running[entry.user] = self._running.get(entry.user, 0) + 1

    def _obstacles(self, entry: Entry) -> Iterator[Obstacle]:
        if not entry.here:
            yield Obstacle(f"to run on {entry.host}", passes=False)
        if entry.hold:
            yield Obstacle("held; `lthtui release` lets it go", passes=False)
        for run in entry.after:
            state = self._state(run)
            if state in (Status.QUEUED, Status.RUNNING):
                yield Obstacle(f"after {run}", passes=False)  # that one keeps the queue process
            elif state != Status.FINISHED:
                left = f"which is {state}" if state else "which is gone"
                yield Obstacle(f"after {run}, {left}", passes=False)
        late = entry.not_before - self._now
        if 0 < late <= BACK_OFF[1]:  # more only after the clock was set back
            yield Obstacle(f"tried again in {late:.0f} s", at=entry.not_before)
        most = self._limits.of(entry.user)
        if most is not None and self._running.get(entry.user, 0) >= most:
            yield Obstacle(f"{entry.user} may have {most} running", passes=most > 0)

    def _state(self, run: str) -> Status | None:
        if run not in self._states:
            directory = RunDirectory(self._root / "runs" / run)
            self._states[run] = status(directory) if directory.spec_file.exists() else None
        return self._states[run]
