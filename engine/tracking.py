"""MLflow as the worker and its verbs see it: a running worker's sink, and `sync` afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import link, remote
from engine.errors import LthError, StoreAway, StoreError, UsageError
from engine.mirror import Mirror, only_mirror
from engine.mlstore import ensure_store
from engine.rundir import RunDirectory, Status, last_end, status
from engine.spec import RunSpec

__all__ = ["Sink", "SyncReport", "ensure_store", "sync", "sync_all", "why"]


class Sink:
    """Mirrors a run into MLflow while it trains. It never fails training, nor makes it wait.

    The work is done by a process of its own (`engine.following`), which reads the journal: nothing
    is lost if the store is busy, absent or broken. What could not be delivered by `close` is what
    `lthtui sync` delivers later.
    """

    def __init__(self, directory: RunDirectory, spec: RunSpec) -> None:
        self._directory, self._spec = directory, spec
        self._noted = link.read(directory)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def delivers(self) -> bool:
        """Whether it has brought anything over yet: the rest takes it no time then."""
        return link.read(self._directory) != self._noted

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

    A run with `tracking: off` goes to the local store: that is what was asked for now. Of one that
    is running, only what its journal has gained since the last time is sent.

    Raises:
        UsageError: the run has no journal yet.
        Foreign: its spec is damaged, or of another version.
        StoreAway: the store cannot be used just now, or another process mirrors the run.
        StoreError: the store cannot be used.
    """
    try:
        spec = directory.spec()
        with only_mirror(directory):
            mirror = Mirror(directory, spec, whole=status(directory) != Status.RUNNING)
            mirror.catch_up()
            state, attempt = _state(directory), _attempt(directory)
            end, epitaph = _end(directory, attempt), _epitaph(directory, state, attempt)
            mirror.settle(state, end, epitaph, attempt)
            mirror.file()
    except Exception as error:  # MLflow, SQLAlchemy and the system each raise their own
        raise why(error, directory.run_id) from None
    return SyncReport(
        run_id=directory.run_id,
        mlflow_run_id=mirror.run.run_id,
        experiment=spec.experiment_name,
        tracking_uri=mirror.uri,
        status=mirror.run.status,
        rows=mirror.rows,
    )


def sync_all(runs: Sequence[Path]) -> Iterator[tuple[str, SyncReport | LthError]]:
    """Sync runs one after another; a server that one found out of reach is left alone after that.

    Yields:
        the id of each run, and what was done or why it could not be done.
    """
    away: dict[str, Exception] = {}
    for path in runs:
        yield path.name, _outcome(path, away)


def _outcome(path: Path, away: dict[str, Exception]) -> SyncReport | LthError:
    """Sync one run; `away` holds what was wrong with servers, by address."""
    server = ""
    try:
        directory = RunDirectory.open(path)
        tracking = directory.spec().tracking
        server = tracking if "://" in tracking else ""
        return why(away[server], path.name) if server in away else sync(directory)
    except OSError as error:
        return UsageError(f"{path.name}: its spec can't be read: {error}")
    except LthError as error:
        if server and isinstance(error, StoreAway) and isinstance(error.__context__, Exception):
            away[server] = error.__context__
        return error


def why(error: Exception, run_id: str) -> LthError:
    """What kept a run from MLflow, as an error of ours; `StoreAway` where it may pass."""
    if isinstance(error, LthError):
        return error
    found = remote.reason(error)
    text = remote.scrub(remote.line(str(found or error), 400)) or type(error).__name__
    text = f"{run_id}: {text}; nothing is lost, `lthtui sync`"
    if isinstance(found, StoreAway):
        return StoreAway(f"{text} again later", found.later)
    status = getattr(error, "get_http_status_code", lambda: 500)()  # of MLflow's own errors
    if found is None and not 400 <= status < 500:
        return StoreAway(f"{text} again later")
    return type(found or StoreError())(f"{text} after that")


def _state(directory: RunDirectory) -> Status:
    """What a run does, as MLflow is told: one that has finished stays so while it is evaluated."""
    said = last_end(directory)
    return Status.FINISHED if said and said.status == "finished" else status(directory)


def _attempt(directory: RunDirectory) -> int:
    """The newest attempt that was started."""
    signs = (directory.launch(), directory.heartbeat(), last_end(directory))
    return max((sign.attempt for sign in signs if sign), default=0)


def _end(directory: RunDirectory, attempt: int) -> float:
    """When the newest attempt ended, as well as its files tell, in seconds since 1970.

    A run that has finished ended then: later attempts only evaluate it.
    """
    said = last_end(directory)
    if said and said.status == "finished":
        return said.time
    signs = (said, directory.exit(), directory.heartbeat(), directory.launch())
    return next((sign.time for sign in signs if sign and sign.attempt >= attempt), 0.0)


def _epitaph(directory: RunDirectory, state: Status, attempt: int) -> str | None:
    """What to say of a run that failed without saying why."""
    said, left = last_end(directory), directory.exit()
    if state not in (Status.LOST, Status.FAILED) or (said and said.attempt >= attempt):
        return None
    if left is None or left.attempt < attempt:
        return "the worker is gone without a word (was the machine restarted?)"
    how = f"was killed by signal {-left.code}" if left.code < 0 else f"left with code {left.code}"
    return f"the worker {how} before it could report why"
