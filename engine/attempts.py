"""One worker per run: a lock on this host, and a numbered fence everywhere.

Each start of a run is an attempt with a number in the folder. A worker that finds a higher number
there than its own has been replaced, on another host perhaps, and must stop writing.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time

from engine.errors import Fenced, UsageError
from engine.processes import Process
from engine.rundir import HEARTBEAT_SECONDS, Heartbeat, RunDirectory, write_json


class Attempt:
    """This process's claim on a run, with a heartbeat for as long as it is held.

    Raises:
        UsageError: another process on this host works on the run.
        Fenced: the folder holds a higher number than the one this worker was started with.
    """

    def __init__(self, directory: RunDirectory, number: int | None = None) -> None:
        self.directory = directory
        self._lock = os.open(directory.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise UsageError(
                f"{directory.run_id}: another worker is on this run; follow it with"
                f" `lthtui logs -f {directory.run_id}`"
            ) from None
        newest = current(directory)
        self.number = newest + 1 if number is None else number
        if newest > self.number:
            raise Fenced(f"attempt {self.number} was replaced by attempt {newest}")
        write_json(directory.attempt_file, self.number)
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
            raise Fenced(f"attempt {self.number} was replaced by attempt {newest}; writing no more")

    def close(self) -> None:
        """Give the run up."""
        self._ended.set()
        self._thread.join()
        self.directory.heartbeat_file.unlink(missing_ok=True)
        os.close(self._lock)

    def _beat(self) -> None:
        process = Process.of(os.getpid())
        while True:
            beat = Heartbeat(attempt=self.number, process=process, time=time.time())
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
