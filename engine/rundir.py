"""A run is a folder: every path in it, the files that say where it runs, and its status."""

from __future__ import annotations

import json
import os
import signal
import time
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.errors import RESUMABLE, Foreign, UsageError
from engine.events import RunEnded, Tail, parse
from engine.processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.spec import RunSpec

T = TypeVar("T", bound=BaseModel)
S = TypeVar("S", bound="Sign")
HEARTBEAT_SECONDS = 5.0
STALLED_SECONDS = 3 * HEARTBEAT_SECONDS  # without a sign of life a worker here is stalled,
STALE_SECONDS = 6 * HEARTBEAT_SECONDS  # and one on another host is gone
_BLOCK, _BLOCKS = 65_536, 256  # bytes of a journal that are read at once from its end, how often
# How a worker leaves that was asked to stop: by itself, or before it could see to signals.
LEFT = (RESUMABLE, -signal.SIGTERM, -signal.SIGINT, -signal.SIGUSR1)


class Status(StrEnum):
    """What a run is doing. Stalled is no status: a stalled run still runs."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"


class Sign(BaseModel):
    """What tells that a process works on a run.

    Attributes:
        folder: the inode of the run's folder; a copy of it has another, and nobody who works on
            it. None from older versions.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    attempt: int
    process: Process
    time: float
    folder: int | None = None


class Launch(Sign):
    """launch.json: where an attempt runs. The queue process writes it, or the script of a job.

    Its process is the shim's.

    Attributes:
        retries: how often in a row the queue process had started it again by itself.
        job: its number in a cluster's own queue; None for the local backend.
        user: who queued it.
    """

    backend: str
    device: str
    threads: int
    retries: int = 0
    job: str | None = None
    user: str = ""


class Exit(BaseModel):
    """exit.json: how an attempt ended. `code` is negative for a signal. The shim writes it."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    attempt: int
    code: int
    time: float


class Heartbeat(Sign):
    """heartbeat: which process works here, and when it last said so. The worker writes it."""


class Request(BaseModel):
    """request.json: what a client asks a running worker to do.

    Attributes:
        attempt: the newest when it was asked; None from older versions.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    verb: Literal["stop", "pause"]
    time: float
    attempt: int | None = None


class _Within:
    """A path within a run's folder, made when it is first asked for: lists look at few of many."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __set_name__(self, owner: type[RunDirectory], attribute: str) -> None:
        self._attribute = attribute

    def __get__(self, directory: RunDirectory, owner: type[RunDirectory]) -> Path:
        path: Path = directory.path / self._name
        directory.__dict__[self._attribute] = path  # which is found before this
        return path


class RunDirectory:
    """The folder of one run: `<root>/runs/<run id>/`."""

    spec_file = _Within("spec.yaml")
    launch_file = _Within("launch.json")
    exit_file = _Within("exit.json")
    heartbeat_file = _Within("heartbeat")
    request_file = _Within("request.json")
    attempt_file = _Within("attempt")
    events_file = _Within("events.jsonl")
    log_file = _Within("log.txt")
    lock_file = _Within("worker.lock")
    mlflow_file = _Within("mlflow.json")
    subset_file = _Within("subset.json")
    levels = _Within("levels")
    extends_file = _Within("extends.json")
    rewind = _Within("rewind")
    partial = _Within("partial")
    evaluations = _Within("evaluations")

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()

    @classmethod
    def open(cls, path: Path | str) -> RunDirectory:
        """Open an existing run.

        Raises:
            UsageError: there is no spec in this folder.
        """
        directory = cls(path)
        if not directory.spec_file.is_file():
            raise UsageError(f"{path}: not a run folder (it has no spec.yaml)")
        return directory

    @property
    def run_id(self) -> str:
        """The run's id, which is the folder's name."""
        return self.path.name

    @property
    def root(self) -> Path:
        """The root of all state, two folders up."""
        return self.path.parent.parent

    @cached_property
    def queue_file(self) -> Path:
        """The run's entry in the queue."""
        return self.root / "queue" / f"{self.run_id}.json"

    @property
    def inode(self) -> int | None:
        """What tells the folder from its copies, also once it was moved; None if it is gone."""
        try:
            return self.path.stat().st_ino
        except OSError:
            return None

    def level(self, index: int) -> Path:
        """The folder of one level."""
        return self.levels / f"{index:02d}"

    def spec(self) -> RunSpec:
        """Read what was asked.

        Raises:
            OSError: there is no spec.
            Foreign: it is none of this version's.
        """
        import yaml  # here, because the queue process starts workers without reading a spec

        from engine.spec import RunSpec

        try:
            return RunSpec.model_validate(yaml.safe_load(self.spec_file.read_text()))
        except ValidationError as error:
            first = error.errors()[0]
            why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        except (ValueError, yaml.YAMLError) as error:
            why = str(error).splitlines()[0]
        raise Foreign(
            f"{self.spec_file} is no spec of this version of lthtui ({why}); use the version that"
            " wrote it, or run its spec file again"
        )

    def launch(self) -> Launch | None:
        """Where the newest attempt was started by the queue; None if it never was."""
        return self._sign(self.launch_file, Launch)

    def exit(self) -> Exit | None:
        """How the newest attempt that has ended under a shim ended."""
        return _read(self.exit_file, Exit)

    def heartbeat(self) -> Heartbeat | None:
        """The newest sign of life."""
        return self._sign(self.heartbeat_file, Heartbeat)

    def subset(self) -> str | None:
        """Hash of the images the run trains and validates on; None before they were drawn."""
        try:
            drawn = json.loads(self.subset_file.read_bytes())["sha256"]
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return drawn if isinstance(drawn, str) else None

    def request(self) -> Request | None:
        """What a client asked last."""
        return _read(self.request_file, Request)

    def ask(self, verb: Literal["stop", "pause"]) -> None:
        """Ask the worker to stop at the next step; the caller also sends it SIGTERM."""
        request = Request(verb=verb, time=time.time(), attempt=launched(self))
        write_json(self.request_file, request.model_dump())

    def _sign(self, path: Path, model: type[S]) -> S | None:
        """Read a sign of a process; in a copy of the folder it is of a process that is gone.

        Of a process of another host nobody can tell so: some shared file systems number folders
        otherwise on every host.
        """
        sign = _read(path, model)
        if sign is None or sign.folder in (None, self.inode) or not sign.process.here:
            return sign
        return sign.model_copy(update={"process": sign.process.gone()})


def run_id(spec: RunSpec, day: str) -> str:
    """Compose an id: `<UTC date>-<spec name>-<digest6>-<repetition>`, such as `s0` or `f1-s0`."""
    return f"{day}-{spec.name}-{spec.digest[:6]}-{spec.repetition}"


def status(directory: RunDirectory) -> Status:
    """What a run is doing: a function of its files and of whether its process lives.

    Order of trust: a living process, a place in the queue, the newest attempt's own last word, its
    exit code. An attempt that left none of these is lost; a run without attempts is stopped. A run
    that has finished stays so: later attempts only evaluate it.
    """
    waits = directory.queue_file.exists()  # first: it goes only once launch.json says what runs
    launch, beat = directory.launch(), directory.heartbeat()
    if (launch and _lives(launch)) or (beat and _lives(beat)):
        return Status.RUNNING
    if waits:
        return Status.QUEUED
    attempt = max(launch.attempt if launch else 0, beat.attempt if beat else 0)
    ended, left = last_end(directory), directory.exit()
    if ended and (ended.status == "finished" or ended.attempt >= attempt):
        return ended_as(ended.status, directory)
    if left and left.attempt >= attempt:
        return _left(left.code, directory)
    return Status.LOST if attempt and not wish(directory) else _asked(directory)


def wish(directory: RunDirectory) -> Request | None:
    """What a client asked of the newest attempt; older requests are spent."""
    request, launch = directory.request(), directory.launch()
    if request is None or launch is None:
        return request
    if request.attempt is None:
        return request if request.time >= launch.time else None
    return request if request.attempt >= launch.attempt else None


def ended_as(said: str, directory: RunDirectory) -> Status:
    """What the newest attempt's last word means: who stopped may have been asked to pause."""
    return _asked(directory) if said == "stopped" else Status(said)


def stalled(directory: RunDirectory, now: float) -> bool:
    """Whether a running worker has given no sign of life for several intervals."""
    beat = directory.heartbeat()
    return beat is not None and now - beat.time > STALLED_SECONDS


def last_end(directory: RunDirectory) -> RunEnded | None:
    """The newest `run_ended` since the last `run_started` of the journal, or None."""
    try:
        with directory.events_file.open("rb") as file:
            for line in _from_the_end(file):
                if b'"run_ended"' in line:
                    event = parse(line)
                    if isinstance(event, RunEnded):
                        return event
                elif b'"run_started"' in line:
                    return None
    except OSError:
        pass
    return None


def next_attempt(directory: RunDirectory) -> int:
    """The number of a run's next attempt, above whatever was launched or worked here before."""
    return max(_fence(directory), launched(directory)) + 1


def launched(directory: RunDirectory) -> int:
    """The newest attempt that was started by the queue; 0 if none was."""
    launch = directory.launch()
    return launch.attempt if launch else 0


def begun(directory: RunDirectory) -> int:
    """The newest attempt whose worker claimed the run, or ended; 0 if none has yet."""
    left = directory.exit()
    return max(_fence(directory), left.attempt if left else 0)


def events(directory: RunDirectory) -> Tail:
    """A reader of the run's journal, from its beginning."""
    return Tail(directory.events_file)


def write_json(path: Path, value: Any, indent: int | None = None) -> None:
    """Write a small file whole or not at all: temporary file, fsync, rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w") as file:
            json.dump(value, file, indent=indent)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _from_the_end(file: BinaryIO) -> Iterator[bytes]:
    """The whole lines of a file, the last first, of its last megabytes."""
    end, rest, whole = file.seek(0, os.SEEK_END), b"", False
    for _ in range(_BLOCKS):
        begin = max(0, end - _BLOCK)
        file.seek(begin)
        lines = (file.read(end - begin) + rest).split(b"\n")
        rest = lines.pop(0)
        if not whole and lines:
            lines.pop()  # what follows the last newline is no line yet
            whole = True
        yield from reversed(lines)
        end = begin
        if not begin:
            if whole:
                yield rest
            return


def _read(path: Path, model: type[T]) -> T | None:
    """Read a small file; None if it is absent, half written or from elsewhere."""
    try:
        return model.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _lives(sign: Launch | Heartbeat) -> bool:
    """Ask the process table here, and the clock for a worker on another host."""
    return sign.process.alive if sign.process.here else time.time() - sign.time < STALE_SECONDS


def _fence(directory: RunDirectory) -> int:
    try:
        return int(directory.attempt_file.read_text())
    except (OSError, ValueError):
        return 0


def _left(code: int, directory: RunDirectory) -> Status:
    """What an exit code means where the worker could not say how it ended."""
    if code == 0:
        return Status.FINISHED
    killed = code < 0 and wish(directory) is not None  # it did not stop in time when asked
    return _asked(directory) if code in LEFT or killed else Status.FAILED


def _asked(directory: RunDirectory) -> Status:
    request = wish(directory)
    return Status.PAUSED if request and request.verb == "pause" else Status.STOPPED
