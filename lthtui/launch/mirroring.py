"""Brings runs over into MLflow whose workers could not, or were gone before they had.

The queue process does so in processes of their own, several runs at a time, and for a day where a
store is out of reach. `mlflow.json` says what MLflow knows of a run: nothing else has to be kept.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from engine import link, noted
from engine.rundir import RunDirectory, Status, last_end, status, write_json
from engine.schema import MLFLOW_STATUS
from lthtui.launch.backends import local
from lthtui.text import clean_line

AT_ONCE, BATCH = 2, 25  # processes, and runs that one of them brings over
BACK_OFF = (1.0, 600.0)  # seconds between tries, twice as many each time
PATIENCE = 24 * 3600.0  # seconds after which a store that is out of reach is given up
LONGEST = 3600.0  # seconds after which a process that brings runs over is killed
LOOK = 0.05  # seconds at a time to look at what earlier queue processes left: others wait meanwhile
NEGLECTED = 60.0  # seconds that who changes a note has to bring it over; to do so may take 10
LATER = "lthtui sync"
_OFF = re.compile(rb"^tracking:\s*['\"]?off\b", re.MULTILINE)
_LAST = {MLFLOW_STATUS[one] for one in (Status.FINISHED, Status.FAILED, Status.STOPPED)}


class GivenUp(BaseModel):
    """undelivered.json: what of a run was given up, and why. The queue process writes it.

    Attributes:
        attempt: the newest attempt at that time, and `size` the journal's bytes.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    attempt: int
    size: int
    message: str
    time: float


def needs(directory: RunDirectory) -> bool:
    """Whether MLflow does not know everything of a run that no worker brings over now.

    False for runs that were given up within the last day, for those with tracking off, and where
    the folder can't be read. Costs no import of MLflow, and for most runs a few small reads.
    """
    try:
        return _needs(directory)
    except OSError:  # such as another user's: whoever asks has other runs to see to
        return False


def _needs(directory: RunDirectory) -> bool:
    linked = link.read(directory)
    settled = linked.settled if linked else None
    told = (
        linked is not None
        and link.complete(directory, linked)
        and noted.read(directory).newest <= linked.noted
    )
    if told and settled and settled.status in _LAST and settled.attempt >= _newest(directory):
        return False
    if not directory.events_file.exists() or not _tracked(directory) or given_up(directory):
        return False
    state = status(directory)
    if state == Status.RUNNING:
        return not told and _size(directory) > 0 and unattended(directory)
    if not told:
        return True
    if settled is None:  # as older versions wrote it: right if the journal has the last word
        return last_end(directory) is None
    if state == Status.QUEUED:
        return settled.status == MLFLOW_STATUS[Status.RUNNING]
    return settled.status != MLFLOW_STATUS[state]


def unattended(directory: RunDirectory) -> bool:
    """Whether a run is on a node of a cluster, from where the local store can't be written."""
    launch = directory.launch()
    return launch is not None and launch.job is not None and "://" not in _address(directory)


def given_up(directory: RunDirectory) -> str | None:
    """Why MLflow was not told of a run's end, if that was given up within the last day."""
    try:
        found = GivenUp.model_validate_json(_note(directory).read_bytes())
    except (OSError, ValidationError):
        return None
    same = (found.attempt, found.size) == (_newest(directory), _size(directory))
    return found.message if same and abs(time.time() - found.time) < PATIENCE else None


def overdue(root: Path) -> bool:
    """Whether notes wait that who wrote them should have brought over, as where that was killed."""
    return any(needs(run) for run in candidates(root) if _neglected(run))


def candidates(root: Path) -> Iterator[RunDirectory]:
    """All runs under `root`, any of which may need to be brought over, as after a power cut."""
    try:
        paths = sorted((root / "runs").iterdir())
    except FileNotFoundError:
        return
    yield from map(RunDirectory, paths)


def _neglected(directory: RunDirectory) -> bool:
    """Whether a run was noted of a while ago, and after MLflow was last told of it."""
    try:
        changed = os.stat(directory.path / noted.FILE).st_mtime
    except OSError:
        return False
    try:
        told = os.stat(directory.mlflow_file).st_mtime
    except OSError:
        told = 0.0
    return told < changed < time.time() - NEGLECTED


@dataclass
class _Store:
    """Runs that wait to be brought over to one address, and how well that went of late.

    Attributes:
        delay: seconds between the last two tries that failed; 0 if the last one did not.
        due: when to try again, by the clock.
        since: when it began to fail.
    """

    waiting: dict[str, RunDirectory] = field(default_factory=dict)
    delay: float = 0.0
    due: float = 0.0
    since: float = 0.0


@dataclass
class _Sync:
    """A process that brings runs over."""

    address: str
    runs: dict[str, RunDirectory]
    process: subprocess.Popen[bytes]
    report: IO[bytes]
    handle: int
    deadline: float


class Mirroring:
    """What the queue process of a root still has to bring over.

    Args:
        root: the root of all state; what earlier queue processes left is taken up, too.
        tell: takes a line for people, and says each once.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        root: Path,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell, self._clock = tell, clock
        self._left: Iterator[RunDirectory] | None = candidates(root)
        self._stores: dict[str, _Store] = {}
        self._running: list[_Sync] = []

    @property
    def busy(self) -> bool:
        """Whether anything is still to be brought over, or to be looked at."""
        waiting = any(store.waiting for store in self._stores.values())
        return bool(self._left or self._running) or waiting

    def add(self, directory: RunDirectory) -> None:
        """Look after a run that has ended; nothing to do if its worker brought everything over."""
        if needs(directory):
            self._put(directory)
        elif self.busy and (known := self._stores.get(_address(directory))):
            known.due = 0.0  # it is within reach again

    def poll(self) -> None:
        """See to processes that have ended, and start those that are due."""
        now = self._clock()
        while self._left and self._clock() <= now + LOOK:
            left = next(self._left, None)
            if left is None:
                self._left = None
            elif needs(left):
                self._put(left)
        for one in [*self._running]:
            if one.process.poll() is not None:
                self._running.remove(one)
                self._reap(one)
            elif now >= one.deadline:
                one.process.kill()
                one.deadline = math.inf  # a hung file system may keep it for hours
        for address, store in self._stores.items():
            if store.delay and now - store.since >= PATIENCE:
                self._give_up(
                    store, [*store.waiting.values()], f"{_shown(address)} is out of reach"
                )
                store.delay = store.due = 0.0
            while self._may_start(address, store, now):
                self._start(address, store, now)

    def patience(self) -> float | None:
        """Seconds until `poll` has something to do; None if only an ending process gives it."""
        if self._left:
            return 0.0
        now = self._clock()
        due = [one.deadline for one in self._running]
        if len(self._running) < AT_ONCE:
            due += [store.due for address, store in self._stores.items() if self._waits(address)]
        return max(0.0, min(due) - now) if due else None

    def filenos(self) -> list[int]:
        """File descriptors that become readable when `poll` has something to do."""
        return [one.handle for one in self._running]

    def close(self) -> None:
        """Leave what is under way to itself."""
        for one in self._running:
            _close(one)
        self._running.clear()

    def _put(self, directory: RunDirectory) -> None:
        store = self._stores.setdefault(_address(directory), _Store())
        store.waiting[directory.run_id] = directory

    def _waits(self, address: str) -> bool:
        """Whether runs wait for a store; one that fails is tried by one process at a time."""
        store = self._stores[address]
        tried = any(one.address == address for one in self._running)
        return bool(store.waiting) and not (store.delay and tried)

    def _may_start(self, address: str, store: _Store, now: float) -> bool:
        return len(self._running) < AT_ONCE and self._waits(address) and store.due <= now

    def _start(self, address: str, store: _Store, now: float) -> None:
        """Start a process for some of a store's runs, for a single one if it failed before."""
        some = [*store.waiting.values()][: 1 if store.delay else BATCH]
        for run in some:
            del store.waiting[run.run_id]
        runs = {run.run_id: run for run in some if needs(run)}  # it may run again meanwhile
        if not runs:
            return
        report = tempfile.TemporaryFile()
        try:
            process = local.sync(*runs.values(), report=report)
        except OSError as error:
            report.close()
            self._failed(store, [*runs.values()], f"no process can be started: {error}", 0.0)
            return
        handle = os.pidfd_open(process.pid)
        self._running.append(_Sync(address, runs, process, report, handle, now + LONGEST))

    def _reap(self, one: _Sync) -> None:
        """Sort the runs of a process that has ended: done, to be tried again, or given up."""
        report, said = _report(one)
        _close(one)
        store, failed, later = self._stores[one.address], report["failed"], report["later"]
        passing = [run for run_id, run in one.runs.items() if run_id in later]
        for run_id, message in failed.items():
            if run_id in one.runs and run_id not in later:
                self._give_up(store, [one.runs[run_id]], message)
        if len(passing) < len(one.runs):
            store.delay = store.due = 0.0
        if passing:
            said = failed.get(passing[0].run_id, said)
            self._failed(store, passing, said, max(later[run.run_id] for run in passing))

    def _failed(self, store: _Store, runs: Sequence[RunDirectory], said: str, later: float) -> None:
        """Put runs back and try again in a while."""
        now = self._clock()
        if not store.delay:
            store.since = now
        shortest, longest = BACK_OFF
        store.delay = min(max(2 * store.delay, shortest), longest)
        store.due = now + max(store.delay * random.uniform(0.8, 1.2), later)
        store.waiting = {run.run_id: run for run in runs} | store.waiting
        if store.delay > shortest:  # the first may be another process that does it just now
            self._tell(f"{said}; it is tried again for a day")

    def _give_up(self, store: _Store, runs: Sequence[RunDirectory], message: str) -> None:
        for run in runs:
            store.waiting.pop(run.run_id, None)
            note = GivenUp(attempt=_newest(run), size=_size(run), message=message, time=time.time())
            try:
                write_json(_note(run), note.model_dump())
            except OSError:  # then it is tried once more by the next queue process
                pass
            self._tell(f"MLflow was not told everything of {run.run_id}: {message}; {LATER} does")


def _report(one: _Sync) -> tuple[dict[str, Any], str]:
    """What a process reports of its runs; one that could not is to be tried again."""
    one.report.seek(0)
    lines = one.report.read().decode(errors="replace").strip().splitlines()
    said = clean_line(lines[-1] if lines else f"it ended with code {one.process.returncode}")
    try:
        report = json.loads(lines[-1])
        failed = {str(run): clean_line(str(why)) for run, why in report["failed"].items()}
        later = {str(run): float(seconds) for run, seconds in report["later"].items()}
        return {"failed": failed, "later": later}, said
    except (LookupError, ValueError, TypeError, AttributeError):
        silent = {} if one.process.returncode == 0 else dict.fromkeys(one.runs, 0.0)
        return {"failed": {}, "later": silent}, f"MLflow could not be told: {said}"


def _close(one: _Sync) -> None:
    os.close(one.handle)
    one.report.close()


def _address(directory: RunDirectory) -> str:
    """Where a run is logged, as its spec says; empty where that can't be read."""
    try:
        return directory.spec().tracking
    except (OSError, ValueError):
        return ""


def _shown(address: str) -> str:
    return "the local store" if address == "local" else clean_line(address)


def _tracked(directory: RunDirectory) -> bool:
    """Whether a run is to be logged; one whose spec can't be read is, so that it is told of."""
    try:
        return not _OFF.search(directory.spec_file.read_bytes()) and _address(directory) != "off"
    except OSError:
        return False


def _newest(directory: RunDirectory) -> int:
    try:
        return int(directory.attempt_file.read_text())
    except (OSError, ValueError):
        return 0


def _size(directory: RunDirectory) -> int:
    try:
        return directory.events_file.stat().st_size
    except OSError:
        return 0


def _note(directory: RunDirectory) -> Path:
    return directory.path / "undelivered.json"
