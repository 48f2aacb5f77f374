"""The MLflow sink: a thread that follows a run's journal, and `sync`, which does so afterwards."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from engine import schema
from engine.errors import StoreError, UsageError
from engine.events import EpochEnded, RunEnded, Tail
from engine.mirror import Mirror
from engine.mlstore import ensure_store, locked
from engine.rundir import RunDirectory, Status, last_end, status
from engine.spec import RunSpec

__all__ = ["Sink", "SyncReport", "ensure_store", "sync"]

PATIENCE_SECONDS = 60.0
GATHER_SECONDS = 0.7
BACK_OFF_SECONDS = (0.25, 5.0)


class Sink:
    """Mirrors a run into MLflow while it trains. It never fails training, nor makes it wait.

    It reads the journal, so that nothing is lost if the store is busy, absent or broken: what
    could not be delivered by `close` is what `lthtui sync` delivers later.

    Attributes:
        problem: why the last delivery failed, in one line; None if it didn't.
    """

    def __init__(self, directory: RunDirectory, spec: RunSpec) -> None:
        self._directory, self._spec = directory, spec
        self._news, self._closing, self._abandoned = (threading.Event() for _ in range(3))
        self._thread = threading.Thread(target=self._work, name="mlflow-sink", daemon=True)
        self._mirror: Mirror | None = None
        self._lock = contextlib.ExitStack()
        self._delivered = False
        self.problem: str | None = None

    def start(self) -> None:
        """Begin. MLflow is not imported before an epoch has ended, or a minute has passed."""
        if self._spec.tracking != "off":
            self._thread.start()

    def wake(self) -> None:
        """Say that the journal has grown."""
        self._news.set()

    def close(self, timeout: float) -> bool:
        """Deliver the rest and stop; False if that failed or took more than `timeout` seconds."""
        if self._spec.tracking == "off":
            return True
        self._closing.set()
        self._news.set()
        self._thread.join(timeout)
        self._abandoned.set()
        return self._delivered

    def _work(self) -> None:
        self._await_first_epoch()
        shortest, longest = BACK_OFF_SECONDS
        delay = 0.0
        with self._lock:
            while not self._abandoned.is_set():
                last = self._closing.is_set()
                failure = self._attempt()
                if last and (failure is None or isinstance(failure, StoreError)):
                    self._delivered = failure is None  # a StoreError needs a person
                    return
                delay = min(max(2 * delay, shortest), longest) if failure else 0.0
                self._rest(delay)

    def _attempt(self) -> Exception | None:
        """Deliver what there is; returns what prevented it."""
        try:
            if self._mirror is None or not self._mirror.fresh:
                self._lock.close()
                self._lock.enter_context(_sole_mirror(self._directory))
                self._mirror = Mirror(self._directory, self._spec)
            self._mirror.catch_up()
            self._mirror.settle()
            self._mirror.file()
        except Exception as error:  # whatever it is, training goes on
            self.problem = _one_line(error)
            return error
        self.problem = None
        return None

    def _rest(self, delay: float) -> None:
        """Wait for news, or after a failure for a while; closing cuts it short."""
        if self._closing.is_set():
            self._abandoned.wait(delay)
        elif delay:
            self._closing.wait(delay)
        else:
            self._news.wait()
            self._closing.wait(GATHER_SECONDS)
            self._news.clear()

    def _await_first_epoch(self) -> None:
        """Keep out of the way until training has got going: importing MLflow takes seconds."""
        journal = self._directory.events_file
        tail = Tail(journal, journal.stat().st_size if journal.exists() else 0)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._closing.is_set():
            left = deadline - time.monotonic()
            if left <= 0 or any(isinstance(event, EpochEnded | RunEnded) for event in tail.read()):
                return
            self._news.wait(left)
            self._news.clear()


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

    A run with `tracking: off` goes to the local store: that is what it was asked for.

    Raises:
        UsageError: the run has no journal yet.
        StoreError: the store cannot be used, or another process mirrors the run right now.
    """
    spec = directory.spec()
    if not directory.events_file.exists():
        raise UsageError(f"{directory.run_id} has not started yet; there is nothing to sync")
    try:
        with _sole_mirror(directory):
            mirror = Mirror(directory, spec, whole=True)
            mirror.catch_up()
            state = status(directory)
            mirror.settle(schema.MLFLOW_STATUS[state], _end(directory), _epitaph(directory, state))
            mirror.file()
    except StoreError:
        raise
    except Exception as error:  # MLflow, SQLAlchemy and the system each raise their own
        raise StoreError(
            f"{directory.run_id}: {_one_line(error)}; nothing is lost, `lthtui sync` again later"
        ) from None
    return SyncReport(
        run_id=directory.run_id,
        mlflow_run_id=mirror.run.run_id,
        experiment=spec.experiment_name,
        tracking_uri=mirror.uri,
        status=mirror.run.status,
        rows=mirror.rows,
    )


@contextlib.contextmanager
def _sole_mirror(directory: RunDirectory) -> Iterator[None]:
    """Let one process at a time write a run into MLflow: two would make it twice."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(directory.path / "mlflow.lock", wait=False))
        except BlockingIOError:
            raise StoreError(
                f"{directory.run_id} is being written to MLflow by another process, its own worker"
                " or another sync; nothing to do"
            ) from None
        yield


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


def _one_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:300]}" if text else type(error).__name__
