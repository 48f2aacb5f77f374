"""One worker per run: a lock on this host, and a numbered fence everywhere.

Each start of a run is an attempt with a number in the folder. A worker that finds a higher number
there than its own has been replaced, on another host perhaps, and must stop writing.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time

from engine.errors import Fenced, UsageError
from engine.processes import Process
from engine.rundir import HEARTBEAT_SECONDS, Heartbeat, RunDirectory, write_json

# How long a replaced worker may take to leave by itself, and to be gone once it was killed.
LEAVING_SECONDS, DYING_SECONDS = 15.0, 5.0


class Attempt:
    """This process's claim on a run, with a heartbeat for as long as it is held.

    A launcher numbers its attempts. One with a number takes the run over from an older one that
    still lives, such as on a node that its cluster has given up: it raises the fence first, so that
    the other writes no more, and then waits for it. One without, started by hand, does not.

    Attributes:
        launched: whether a launcher started it, which then sees to the run when it has ended.
        replaced: whether a newer attempt has taken over, as far as the heartbeat has noticed.

    Raises:
        UsageError: another process on this host works on the run, and this one has no number.
        Fenced: the folder holds a higher number than the one this worker was started with.
    """

    def __init__(self, directory: RunDirectory, number: int | None = None) -> None:
        self.directory, self.launched, self.replaced = directory, number is not None, False
        if number is not None:
            _raise_fence(directory, number)
        self._lock = os.open(directory.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._claim(number)
            self.number = current(directory) + 1 if number is None else number
            _raise_fence(directory, self.number)
        except (UsageError, Fenced):
            os.close(self._lock)
            raise
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Make sure that no newer attempt has taken over.

        Raises:
            Fenced: one has.
        """
        newest = current(self.directory)
        if newest > self.number:
            self.replaced = True
            raise Fenced(f"attempt {self.number} was replaced by attempt {newest}; writing no more")

    def close(self) -> None:
        """Give the run up."""
        self._ended.set()
        self._thread.join()
        if current(self.directory) <= self.number:  # otherwise the heartbeat is another's
            self.directory.heartbeat_file.unlink(missing_ok=True)
        os.close(self._lock)

    def _claim(self, number: int | None) -> None:
        """Take the lock, from an older attempt if this one has a number.

        Some file systems keep the lock of a host that is gone; then the fence has to do alone.
        """
        if self._locked(0.0 if number is None else LEAVING_SECONDS):
            return
        if number is None:
            raise UsageError(
                f"{self.directory.run_id}: another worker is on this run; follow it with"
                f" `lthtui logs -f {self.directory.run_id}`"
            )
        beat = self.directory.heartbeat()
        if beat and beat.attempt < number and beat.process.signal(signal.SIGKILL):
            self._locked(DYING_SECONDS)

    def _locked(self, patience: float) -> bool:
        """Try for so many seconds to take the lock."""
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
            time.sleep(0.05)

    def _beat(self) -> None:
        process, folder = Process.of(os.getpid()), self.directory.inode
        while True:
            if current(self.directory) > self.number:
                self.replaced = True
                return
            beat = Heartbeat(attempt=self.number, process=process, time=time.time(), folder=folder)
            try:
                write_json(self.directory.heartbeat_file, beat.model_dump())
            except OSError:
                pass  # a full disk stops the run elsewhere, with a message
            if self._ended.wait(HEARTBEAT_SECONDS):
                return


def current(directory: RunDirectory) -> int:
    """The highest attempt number this run has seen; 0 before the first."""
    try:
        return int(directory.attempt_file.read_text())
    except (OSError, ValueError):
        return 0


def _raise_fence(directory: RunDirectory, number: int) -> None:
    """Make `number` the highest.

    Raises:
        Fenced: there is a higher one.
    """
    newest = current(directory)
    if newest > number:
        raise Fenced(f"attempt {number} was replaced by attempt {newest}")
    write_json(directory.attempt_file, number)
