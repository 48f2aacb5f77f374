"""MLflow as the worker and its verbs see it: a running worker's sink, and `sync` afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

from engine import schema
from engine.errors import StoreError, UsageError
from engine.mirror import Mirror, only_mirror
from engine.mlstore import ensure_store
from engine.rundir import RunDirectory, Status, last_end, status
from engine.spec import RunSpec

__all__ = ["Sink", "SyncReport", "ensure_store", "sync"]


class Sink:
    """Mirrors a run into MLflow while it trains. It never fails training, nor makes it wait.

    The work is done by a process of its own (`engine.following`), which reads the journal: nothing
    is lost if the store is busy, absent or broken. What could not be delivered by `close` is what
    `lthtui sync` delivers later.
    """

    def __init__(self, directory: RunDirectory, spec: RunSpec) -> None:
        self._directory, self._spec = directory, spec
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin. MLflow is not imported before an epoch has ended, or a minute has passed."""
        if self._spec.tracking == "off":
            return
        command = [sys.executable, "-P", "-m", "engine.following", str(self._directory.path)]
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE)
        except OSError:  # no memory or no processes left: the journal has everything
            return
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)

    def wake(self) -> None:
        """Say that the journal has grown."""
        if self._process is not None and self._process.stdin is not None:
            try:
                os.write(self._process.stdin.fileno(), b".")
            except (OSError, ValueError):  # full: there is news enough; broken: `close` tells
                return

    def close(self, timeout: float) -> bool:
        """Deliver the rest and stop; False if that failed or took more than `timeout` seconds."""
        if self._process is None:
            return self._spec.tracking == "off"
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            return self._process.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False


@dataclass(frozen=True)
class SyncReport:
    """What `sync` did. `rows` counts metric values sent, most of which may have been there."""

    run_id: str
    mlflow_run_id: str
    experiment: str
    tracking_uri: str
    status: str
    rows: int


def sync(directory: RunDirectory) -> SyncReport:
    """Bring a run's whole journal, files and status over into MLflow; safe to repeat.

    A run with `tracking: off` goes to the local store: that is what was asked for now.

    Raises:
        UsageError: the run has no journal yet.
        StoreError: the store cannot be used, or another process mirrors the run right now.
    """
    spec = directory.spec()
    if not directory.events_file.exists():
        raise UsageError(f"{directory.run_id} has not started yet; there is nothing to sync")
    try:
        with only_mirror(directory):
            mirror = Mirror(directory, spec, whole=True)
            mirror.catch_up()
            state = status(directory)
            mirror.settle(schema.MLFLOW_STATUS[state], _end(directory), _epitaph(directory, state))
            mirror.file()
    except StoreError:
        raise
    except Exception as error:  # MLflow, SQLAlchemy and the system each raise their own
        text = str(error).strip() or type(error).__name__
        raise StoreError(
            f"{directory.run_id}: {text.splitlines()[0][:300]}; nothing is lost, `lthtui sync`"
            " again later"
        ) from None
    return SyncReport(
        run_id=directory.run_id,
        mlflow_run_id=mirror.run.run_id,
        experiment=spec.experiment_name,
        tracking_uri=mirror.uri,
        status=mirror.run.status,
        rows=mirror.rows,
    )


def _end(directory: RunDirectory) -> float:
    """When the newest attempt ended, as well as its files tell, in seconds since 1970."""
    said, left, beat = last_end(directory), directory.exit(), directory.heartbeat()
    return next((found.time for found in (said, left, beat) if found), 0.0)


def _epitaph(directory: RunDirectory, state: Status) -> str | None:
    """What to say of a run that failed without saying why."""
    if state not in (Status.LOST, Status.FAILED) or last_end(directory):
        return None
    left = directory.exit()
    if left is None:
        return "the worker is gone without a word (was the machine restarted?)"
    how = f"was killed by signal {-left.code}" if left.code < 0 else f"left with code {left.code}"
    return f"the worker {how} before it could report why"
