"""Why a waiting run can't have its turn yet, as far as that does not depend on devices."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.rundir import RunDirectory, Status, status
from lthtui.launch import entries
from lthtui.launch.entries import Entry
from lthtui.launch.limits import Limits
from lthtui.launch.retrying import ACTIVE, BACK_OFF, goes_on

ELSEWHERE = 10.0  # seconds between looks at a run that was started by hand, or runs elsewhere


@dataclass(frozen=True)
class Obstacle:
    """Why a run waits.

    Attributes:
        at: seconds since 1970 when it is worth another look; None if something will call.
        passes: whether it goes away without a person; for others no queue process stays.
        before: the run that it waits for, if it waits for one.
        failed: whether that one failed, or is gone.
    """

    reason: str
    at: float | None = None
    passes: bool = True
    before: str | None = None
    failed: bool = False


@dataclass(frozen=True)
class _Knot:
    """What a chain of runs that wait for one another can't come past, as one of them sees it.

    Attributes:
        end: what keeps the run at its end.
        links: the reasons of the runs between, the nearest first: the first and the last of them.
        length: how many there are.
    """

    end: Obstacle
    links: tuple[str, ...] = ()
    length: int = 0

    def behind(self, found: Obstacle) -> _Knot:
        """As a run sees it that waits for this one."""
        return _Knot(self.end, (found.reason, *self.links[-1:]), self.length + 1)

    @property
    def obstacle(self) -> Obstacle:
        """What to say of it; thousands of runs may wait in a row."""
        between = " ... " if self.length > len(self.links) else ": "
        reason = ": ".join(filter(None, [between.join(self.links), self.end.reason]))
        return replace(self.end, reason=reason)


class Turns:
    """One look at the queue: what it asks about other runs it asks once.

    Args:
        running: how many runs each person has running.
    """

    def __init__(self, root: Path, limits: Limits, running: Mapping[str, int]) -> None:
        self._root, self._limits = root, limits
        self._running = dict(running)
        self._states: dict[str, Status | None] = {}
        self._knots: dict[str, _Knot | None] = {}
        self._now = time.time()

    def obstacle(self, entry: Entry) -> Obstacle | None:
        """What keeps a run from its turn; None if nothing but devices can."""
        return next(self._obstacles(entry), None)

    def started(self, entry: Entry) -> None:
        """Count a run that got its turn."""
        self._running[entry.user] = self._running.get(entry.user, 0) + 1

    def behind(self, runs: Iterable[str]) -> Obstacle | None:
        """The first of these runs that has not finished, and so is waited for."""
        for run in runs:
            state = self._state(run)
            if state in ACTIVE:
                at = None if self._ours(run) else self._now + ELSEWHERE
                return Obstacle(f"after {run}", at, passes=at is not None, before=run)
            if state != Status.FINISHED:
                left = f"which is {state}; `lthtui resume {run}`" if state else "which is gone"
                failed = state not in (Status.STOPPED, Status.PAUSED)
                return Obstacle(f"after {run}, {left}", None, False, run, failed)
        return None

    def _ours(self, run: str) -> bool:
        """Whether a run keeps this machine's queue process, which then hears of its end."""
        directory = self._directory(run)
        entry, launch = entries.find(directory), directory.launch()
        if entry is not None:
            return entry.here
        return launch is not None and (launch.process.alive or launch.job is not None)

    def stuck(self, entry: Entry) -> Obstacle | None:
        """What keeps a run from its turn until a person does something; None if nothing does."""
        chain: dict[str, Obstacle] = {}  # runs that wait for one another, and how
        ahead: Entry | None = entry
        while ahead and ahead.run_id not in self._knots:
            found = self.obstacle(ahead)
            if found is None or found.passes or not ahead.here:
                self._knots[ahead.run_id] = None
                break
            chain[ahead.run_id] = found
            if found.before is None or found.before in chain or not self._goes_on(found.before):
                self._knots[ahead.run_id] = _Knot(found)
                break
            ahead = entries.find(self._directory(found.before))
        knot = self._knots[ahead.run_id] if ahead else None  # without an entry it runs
        for run, found in reversed(chain.items()):
            if run not in self._knots:
                self._knots[run] = knot = knot and knot.behind(found)
        return knot.obstacle if knot else None

    def _obstacles(self, entry: Entry) -> Iterator[Obstacle]:
        if not entry.here:
            yield Obstacle(f"to run on {entry.host}", passes=False)
        if entry.hold:
            yield Obstacle("held; `lthtui release` lets it go", passes=False)
        if waited_for := self.behind(entry.after):
            yield waited_for
        late = entry.not_before - self._now
        if 0 < late <= BACK_OFF[1]:  # more only after the clock was set back
            yield Obstacle(f"tried again in {late:.0f} s", at=entry.not_before)
        most = self._limits.of(entry.user)
        if most is not None and self._running.get(entry.user, 0) >= most:
            more = "" if most else "; `lthtui limit` changes that"
            yield Obstacle(f"{entry.user} may have {most} running{more}", passes=most > 0)

    def _state(self, run: str) -> Status | None:
        if run not in self._states:
            directory = self._directory(run)
            there = os.path.exists(directory.spec_file)  # and may be read
            self._states[run] = status(directory) if there else None
        return self._states[run]

    def _goes_on(self, run: str) -> bool:
        return goes_on(self._directory(run))

    def _directory(self, run: str) -> RunDirectory:
        return RunDirectory(self._root / "runs" / run)


def in_order(waiting: Sequence[Entry]) -> list[Entry]:
    """Runs in the order in which they are due: one that others wait for is as urgent as they are.

    A run that is held lends no run its priority.
    """
    by_id = {entry.run_id: entry for entry in waiting}
    urgent = {entry.run_id: entry.priority for entry in waiting}
    for entry in sorted(waiting, key=lambda one: one.turn):
        ahead = [] if entry.hold else [*entry.after]
        while ahead:
            run = ahead.pop()
            if urgent.get(run, entry.priority) < entry.priority:
                urgent[run] = entry.priority
                ahead += by_id[run].after
    return sorted(waiting, key=lambda one: (-urgent[one.run_id], one.order))
