"""Follows submitted runs without the app to their end; Ctrl-C and SIGTERM stop them."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Protocol

from engine.errors import FAILED, INTERRUPTED, OK, RESUMABLE
from engine.events import Tail
from engine.rundir import RunDirectory, Status
from lthtui.counting import counted
from lthtui.launch import lease, mirroring, stopping, waits
from lthtui.launch.queue import Submitted
from lthtui.launch.turns import Obstacle
from lthtui.monitor import Monitor, Watched
from lthtui.text import clean_line

POLL = 0.1  # seconds between looks at the runs' folders
DELIVERY = 60.0  # seconds that the queue process may take to tell MLflow what workers had not
BRIEF = 5.0  # the same where all had ended before: nothing else is waited for
LATER = "the queue brings the rest over into MLflow"
CHECK = 1.0  # seconds between looks at whether somebody dispatches what waits


class Display(Protocol):
    """What shows the runs while they are followed."""

    def update(self, changed: Sequence[Watched], runs: Mapping[str, Watched]) -> None:
        """Show the runs; `changed` are those that are not as at the last call."""

    def say(self, message: str) -> None:
        """Tell the user something."""

    def close(self) -> None:
        """Show nothing more."""


class Interrupts:
    """Counts the Ctrl-C and SIGTERM that come within a `with` block; they don't end the program."""

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.count += 1


class Follower:
    """Waits for runs that were submitted.

    Attributes:
        runs: by id, as last seen.
        stuck: by id, those that wait for something that only a person can do; empty while any other
            goes on.
        interrupted: whether Ctrl-C came.
    """

    def __init__(self, root: Path, submitted: Sequence[Submitted], display: Display) -> None:
        self.root, self.display = root, display
        self.own = [one.directory for one in submitted if one.queued]
        self._awaited = {one.directory.run_id for one in submitted}
        self._monitor = Monitor(root, only=self._awaited)
        self.runs: Mapping[str, Watched] = self._monitor.runs
        self.stuck: Mapping[str, Obstacle] = {}
        self._stopping: list[threading.Thread] = []
        self._checked = time.monotonic()
        log = lease.log_file(root)
        self._log = Tail(log, log.stat().st_size if log.exists() else 0)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C came."""
        return bool(self._stopping)

    def follow(self, *, mirrored: bool = True) -> None:
        """Return when all runs have ended but those that wait for a person.

        A run that failed and is tried again by itself has not ended. After Ctrl-C only runs queued
        by this command are waited for. With `mirrored`, so is MLflow, for a while, but for Ctrl-C.
        """
        try:
            with Interrupts() as interrupts:
                self.display.update(self._monitor.poll(), self.runs)
                patience = DELIVERY if self._waiting() else BRIEF
                while self._waiting():
                    time.sleep(POLL)
                    if interrupts.count > len(self._stopping):
                        self._stop()
                    self._look_after_queue()
                    self.display.update(self._monitor.poll(), self.runs)
                if mirrored:
                    self._await_mlflow(interrupts, patience)
                for run, why in self.stuck.items():
                    self.display.say(f"{clean_line(run)} waits: {clean_line(why.reason, 1000)}")
        finally:
            self.display.close()

    def exit_code(self) -> int:
        """130 after Ctrl-C; 1 if a run failed, was lost or waits for one that did.

        75 if one was stopped, or waits for a person; 0 otherwise.
        """
        if self.interrupted:
            return INTERRUPTED
        if any(why.failed for why in self.stuck.values()):
            return FAILED
        return exit_code(self.runs) or (RESUMABLE if self.stuck else OK)

    def _waiting(self) -> bool:
        """Whether a run goes on, or will without anybody's help."""
        known = [self.runs[run] for run in self._awaited if run in self.runs]
        stuck = [one for one in known if one.status == Status.QUEUED and one.run_id in self.stuck]
        return any(one not in stuck and not one.over for one in known)

    def _await_mlflow(self, interrupts: Interrupts, patience: float) -> None:
        """Stay until MLflow knows all of what has ended; Ctrl-C leaves that to the queue."""
        began, stops = time.monotonic(), interrupts.count  # Ctrl-C may answer the words below
        behind = [one for one in self.runs.values() if one.over and mirroring.needs(one.directory)]
        if behind and self.interrupted:
            self.display.say(LATER)
            return
        if behind:
            self.display.say("waiting for MLflow to get the rest; Ctrl-C leaves that to the queue")
            self._call_queue()
        for run in behind:
            while mirroring.needs(run.directory) and interrupts.count == stops:
                if time.monotonic() - began > patience:
                    self.display.say(LATER)
                    return
                self._wake_queue()
                time.sleep(POLL)

    def _wake_queue(self) -> None:
        """Start another queue process if the one before was killed, once a while."""
        now = time.monotonic()
        if now - self._checked > CHECK:
            self._checked = now
            self._call_queue()

    def _call_queue(self) -> None:
        """Wake the queue process, or start one; followers would replace it in turn for ever."""
        if waits.dispatched(self.root):
            lease.wake(self.root)
        else:
            lease.ensure(self.root)

    def _stop(self) -> None:
        """Have own runs stop at a checkpoint; on the second Ctrl-C, have them killed."""
        grace = 0.0 if self._stopping else stopping.GRACE
        going = {run for run, watched in self.runs.items() if not watched.over}
        active = [one for one in self.own if one.run_id in going]
        if grace:
            self._awaited = {one.run_id for one in active}
            self.display.say(
                f"stopping {counted(len(active), 'run')}, each at a checkpoint; Ctrl-C again kills"
                if active
                else "the runs go on; this command only waited for them"
            )
        thread = threading.Thread(target=_cancel, args=(active, grace), daemon=True)
        thread.start()
        self._stopping.append(thread)

    def _look_after_queue(self) -> None:
        """Start another queue process if the one before was killed; pass on what it says."""
        self.stuck = {}  # what was so a while ago ends nothing
        now = time.monotonic()
        if now - self._checked > CHECK:
            self._checked = now
            active = [one for one in self.runs.values() if not one.over]
            queued = [one.directory for one in active if one.status == Status.QUEUED]
            self.stuck = {} if self.interrupted else waits.stuck(self.root, queued)
            if any(one.status != Status.RUNNING and one.run_id not in self.stuck for one in active):
                self._call_queue()
                for line in self._log.lines():
                    self.display.say(f"queue: {clean_line(line.decode(errors='replace'), 1000)}")


def exit_code(runs: Mapping[str, Watched]) -> int:
    """What a command that waited for these runs ends with."""
    states = {watched.status for watched in runs.values()}
    if states & {Status.FAILED, Status.LOST}:
        return FAILED
    return RESUMABLE if states & {Status.STOPPED, Status.PAUSED} else OK


def _cancel(runs: Sequence[RunDirectory], grace: float) -> None:
    stopping.cancel(runs, grace=grace)
