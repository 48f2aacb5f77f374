"""The process beside a worker that follows its run's journal into MLflow.

`python -P -m engine.following RUN_DIR`, started by `tracking.Sink`. It is a process and not a
thread because importing and driving MLflow in the worker stops training for seconds (they share
one interpreter lock). A byte on its standard input means news; the end of the input, that the
worker has left. Exit code 0: everything in the journal has been delivered. What goes wrong is said
on standard error, which is the run's log, once.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import select
import signal
import sys
import time

from engine import mlstore, storefile
from engine.errors import FAILED, OK, LthError, StoreAway, StoreDenied, StoreError
from engine.events import EpochEnded, RunEnded, Tail
from engine.mirror import Mirror, begun, only_mirror
from engine.rundir import RunDirectory
from engine.tracking import why

PATIENCE_SECONDS = 60.0
GATHER_SECONDS = 0.7
BACK_OFF_SECONDS = (0.25, 5.0)  # after a failure, then twice as long each time
REMOTE_SECONDS = 60.0  # the longest for a server, unless it asks for more


class Wire:
    """The worker's word: news, or that it has left."""

    def __init__(self, file: int) -> None:
        self._file = file
        self.closed = False

    def wait(self, timeout: float | None) -> bool:
        """Wait for news or the end; False if the time ran out first."""
        if self.closed or not select.select([self._file], [], [], timeout)[0]:
            return self.closed
        self.closed = not os.read(self._file, 65_536)
        return True


class Follower:
    """Delivers a journal while it grows, and goes on trying when that fails."""

    def __init__(self, directory: RunDirectory, wire: Wire) -> None:
        self._directory, self._wire = directory, wire
        self._mirror: Mirror | None = None
        self._lock = contextlib.ExitStack()
        self._said = ""

    @functools.cached_property
    def _remote(self) -> bool:
        return "://" in self._directory.spec().tracking

    def run(self) -> LthError | None:
        """Follow until the worker has left and everything is delivered; returns what prevents it.

        Refused credentials end it at once. While the worker is there, nothing else does; once it
        has left, everything but a busy local store: whoever waits limits the time.
        """
        self._await_first_epoch()
        delay = 0.0
        with self._lock:
            while True:
                last = self._wire.closed
                failure = self._attempt()
                self._say(failure)
                passes = isinstance(failure, StoreAway) and not self._remote
                if isinstance(failure, StoreDenied) or (last and not passes):
                    return failure
                delay = self._back_off(delay, failure)
                self._rest(delay)
                if self._wire.closed and isinstance(failure, StoreAway) and failure.later:
                    return failure

    def _attempt(self) -> LthError | None:
        """Deliver what there is; returns what prevented it."""
        if self._mirror is None and begun(self._directory) is None:
            return None
        try:
            if self._mirror is None or not self._mirror.fresh:
                self._lock.close()
                self._lock.enter_context(only_mirror(self._directory))
                self._mirror = Mirror(self._directory, self._directory.spec())
            self._mirror.catch_up()
            self._mirror.settle()
            self._mirror.file()
        except Exception as error:  # MLflow, SQLAlchemy and the system each raise their own
            if self._remote:
                self._mirror = None  # a request may have arrived all the same: look again
            elif not isinstance(error, LthError):
                return self._examined(error)
            return why(error, self._directory.run_id)
        return None

    def _examined(self, error: Exception) -> LthError:
        """What is wrong with the local store, that a request failed; an empty one is made anew.

        Its log is merged: on a full disk that may be all the room there is.
        """
        root = self._directory.root
        if storefile.has_log(root / storefile.STORE):
            with contextlib.suppress(StoreError):
                storefile.merge_log(root / storefile.STORE)
        try:
            mlstore.ensure_store(root)
        except LthError as found:
            return found
        if storefile.is_damage(error):
            return StoreError(mlstore.damaged(root / storefile.STORE, error))
        return why(error, self._directory.run_id)

    def _say(self, failure: LthError | None) -> None:
        """Tell of a failure, and of its end, in the run's log; not of each try."""
        text = str(failure or "")
        if text != self._said:
            with contextlib.suppress(OSError):  # the log's disk is full
                print(f"MLflow: {text or 'has everything again'}", file=sys.stderr, flush=True)
            self._said = text

    def _back_off(self, before: float, failure: LthError | None) -> float:
        """Seconds until the next try; 0 if the last one did not fail."""
        if failure is None:
            return 0.0
        shortest, longest = BACK_OFF_SECONDS
        longest = REMOTE_SECONDS if self._remote else longest
        later = failure.later if isinstance(failure, StoreAway) else 0.0
        delay = min(max(2 * before, shortest), longest)
        return max(delay, later) * random.uniform(1.0, 1.25)  # not all runs at the same moment

    def _rest(self, delay: float) -> None:
        """Wait for news and what comes with it; after a failure, for a while or for the end."""
        if not delay:
            self._wire.wait(None)
        elif self._wire.closed:
            time.sleep(delay)
        deadline = time.monotonic() + (delay or GATHER_SECONDS)
        while not self._wire.closed and (left := deadline - time.monotonic()) > 0:
            self._wire.wait(left)

    def _await_first_epoch(self) -> None:
        """Keep out of the way until training has got going: importing MLflow takes seconds."""
        journal = self._directory.events_file
        tail = Tail(journal, journal.stat().st_size if journal.exists() else 0)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._wire.closed and (left := deadline - time.monotonic()) > 0:
            if any(isinstance(event, EpochEnded | RunEnded) for event in tail.read()):
                return
            self._wire.wait(left)


def main(run_dir: str) -> int:
    """Follow one run; signals to the worker's process group are the worker's business."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o077)
    failure = Follower(RunDirectory(run_dir), Wire(sys.stdin.fileno())).run()
    return OK if failure is None else FAILED


if __name__ == "__main__":
    code = main(sys.argv[1])
    sys.stderr.flush()
    os._exit(code)  # the worker waits for nothing more
