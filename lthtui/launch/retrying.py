"""Which failed runs are started again by themselves, and which a person had better change first."""

from __future__ import annotations

import time
from dataclasses import dataclass

from engine import outstanding
from engine.causes import Cause
from engine.errors import NO_ROOM
from engine.events import Evaluated, LevelEnded, Tail
from engine.rundir import LEFT, RunDirectory, Status, last_end, launched, status, wish
from lthtui.launch import lease
from lthtui.launch.slots import Ledger

ACTIVE = (Status.QUEUED, Status.RUNNING)
ENDED = (Status.FINISHED, Status.FAILED, Status.LOST)  # by themselves
BACK_OFF = (5.0, 600.0)  # seconds before the first retry in a row, and at most; each waits 4 times
SEEN_TO = 90.0  # seconds in which the end of a job on a cluster is seen to, unless that was missed
REASONS = {
    Cause.DIVERGED: "its loss would become NaN again; run its spec with a lower learning rate",
    Cause.SPEC: "its spec asks for something impossible; `lthtui check` says what",
}


@dataclass(frozen=True)
class Retry:
    """How a run is to be started again.

    Attributes:
        delay: seconds to wait before.
        retries: how often in a row it then was started again by itself.
        alone: whether it is to share its device with no other run.
    """

    delay: float
    retries: int
    alone: bool


def cause(directory: RunDirectory) -> Cause | None:
    """Why a run failed, or what cut the worker short that evaluated it last; None if neither."""
    state, ended = status(directory), last_end(directory)
    if state == Status.LOST:
        return Cause.KILLED
    if state not in (Status.FAILED, Status.FINISHED):
        return None
    if ended and ended.attempt >= launched(directory):
        return _named(ended.cause) if state == Status.FAILED else None
    found = _inferred(directory)
    return found if state == Status.FAILED or (found and found.passes) else None


def due(directory: RunDirectory) -> Retry | None:
    """Whether and how a run that has ended is started again by itself; None if it is not.

    Retries in a row are bounded by its spec's `launch.retries`; a level that an attempt finished,
    or an evaluation that it made, begins a new row. A finished run is started again as long as it
    lacks evaluations that nobody has tried in vain: as its worker was cut short, or as they were
    asked for when it was about to leave. What somebody asked to stop stays as it ended.
    Raises OSError or ValueError where its spec can't be read.
    """
    why, launch, left = cause(directory), directory.launch(), directory.exit()
    finished = status(directory) == Status.FINISHED
    if launch is None or wish(directory) or not (why.passes if why else finished):
        return None
    before, spec = 0 if _progressed(directory, launch.attempt) else launch.retries, directory.spec()
    if before >= (spec.launch.retries if why else max(spec.launch.retries, 1)):
        return None
    if finished and not outstanding.unreached(directory, spec):
        return None
    if why is None:
        stopped = left is not None and left.attempt >= launch.attempt and left.code in LEFT
        return None if stopped else Retry(0.0, before + 1, alone=False)
    first, most = BACK_OFF
    return Retry(min(first * 4**before, most), before + 1, why == Cause.MEMORY)


def goes_on(directory: RunDirectory) -> bool:
    """Whether a run waits or runs, or has just ended and is about to be queued again by itself."""
    if status(directory) in ENDED and _looked_after(directory):
        try:
            if due(directory):
                return True
        except (OSError, ValueError):
            return False
    return status(directory) in ACTIVE  # once more: it is queued before it leaves its place


def in_vain(directory: RunDirectory) -> str | None:
    """Why starting a run again as it is would fail again; None if it may go well."""
    why = cause(directory)
    return REASONS.get(why) if why else None


def _inferred(directory: RunDirectory) -> Cause | None:
    """What ended the newest attempt, which could not say so; None if somebody asked for it."""
    left = directory.exit()
    if left is None or left.attempt < launched(directory):  # its shim is gone, too
        return Cause.KILLED
    if left.code in LEFT:
        return None
    if left.code == NO_ROOM:
        return Cause.DISK
    return Cause.KILLED if left.code < 0 else Cause.ERROR


def _named(word: str | None) -> Cause:
    try:
        return Cause(word or "")
    except ValueError:  # of another version
        return Cause.ERROR


def _looked_after(directory: RunDirectory) -> bool:
    """Whether the queue process has yet to see to a run's end: until then it keeps its place."""
    launch = directory.launch()
    if launch is None:
        return False
    if launch.job is not None:
        return time.time() - _last_sign(directory) < SEEN_TO
    places = Ledger(lease.slots(directory.root)).places()
    return any(place.holder.run_id == directory.run_id for place in places)


def _last_sign(directory: RunDirectory) -> float:
    """When something of a run was last written, in seconds since 1970."""
    files = (directory.exit_file, directory.heartbeat_file, directory.launch_file)
    return max((file.stat().st_mtime for file in files if file.exists()), default=0.0)


def _progressed(directory: RunDirectory, attempt: int) -> bool:
    """Whether an attempt finished a level, or an evaluation."""
    events = Tail(directory.events_file).read()
    return any(isinstance(one, LevelEnded | Evaluated) and one.attempt >= attempt for one in events)
