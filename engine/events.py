"""What happened in a run: the kinds of events, the journal that stores them, and its reader.

`events.jsonl` holds one JSON object a line and is only ever appended to. Fields may be added, never
renamed; readers skip kinds and fields that they don't know and an unterminated last line.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json


class Event(BaseModel):
    """What every event carries.

    Attributes:
        time: seconds since 1970, UTC; the timestamp of everything derived from the event.
        attempt: which start of the run wrote it, from 1.
        epoch: epochs completed in the whole run.
        step: optimizer steps completed in the whole run.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, ser_json_inf_nan="strings")
    once: ClassVar[str] = ""  # written once per kind, level and this field, however often replayed

    kind: str
    run_id: str = ""
    time: float = 0.0
    attempt: int = 0
    level: int | None = None
    epoch: int | None = None
    step: int | None = None

    @property
    def about(self) -> object:
        """What else it tells of: once that is another, it is written again."""
        return None


class RunStarted(Event):
    """A worker opened the run: what it found and where it runs.

    `flops` is the cost of one image's way through the network without a mask; `peak_bytes` the disk
    that the run takes at most.
    """

    kind: Literal["run_started"] = "run_started"
    levels: int
    epochs: int
    steps_per_epoch: int
    images: dict[str, int]
    subset: str
    parameters: int
    prunable: int
    flops: float | None = None
    peak_bytes: int | None = None
    environment: dict[str, str | int | float | bool | None]


class LevelStarted(Event):
    """A level's mask is in place. `epochs` and `steps` are what it plans to train."""

    kind: Literal["level_started"] = "level_started"
    once = "epoch"
    density: float
    kept: int
    total: int
    epochs: int
    steps: int


class EpochEnded(Event):
    """One pass over the training images. `level_epoch` counts from 1 within the level.

    `metrics` are the sparsifier's own.
    """

    kind: Literal["epoch_ended"] = "epoch_ended"
    once = "epoch"
    level_epoch: int
    train_loss: float
    train_accuracy: float
    learning_rate: float
    images_per_second: float
    val_loss: float | None = None
    val_accuracy: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    metrics: dict[str, float] = {}


class MaskChanged(Event):
    """A mask changed during a level."""

    kind: Literal["mask_changed"] = "mask_changed"
    once = "step"
    density: float
    kept: int


class LevelEnded(Event):
    """A level is trained, saved and scored. Accuracies are fractions of 1; counts are images.

    `inference_flops` is the cost of one image's way through the ticket; `training_flops` that of
    the level's training, evaluations aside. Both count only operations with weights that live.
    `search` is as of `engine.plan.Level`. `device_seconds` and `joules` are as of
    `engine.metering.Taken`.
    """

    kind: Literal["level_ended"] = "level_ended"
    once = "epoch"
    density: float
    kept: int
    total: int
    epochs: int
    seconds: float
    train_loss: float | None = None
    train_accuracy: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None
    val_balanced_accuracy: float | None = None
    val_correct: int | None = None
    val_total: int | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    test_balanced_accuracy: float | None = None
    test_correct: int | None = None
    test_total: int | None = None
    scored_epoch: int | None = None
    search: bool = False
    inference_flops: float | None = None
    training_flops: float | None = None
    device_seconds: float | None = None
    joules: float | None = None


class TicketSaved(Event):
    """A level's ticket is on disk. `sha256` covers its tensors in the order of their names.

    `search` is as of `engine.plan.Level`.
    """

    kind: Literal["ticket_saved"] = "ticket_saved"
    once = "epoch"
    density: float
    kept: int
    total: int
    sha256: str
    path: str
    bytes: int
    search: bool = False

    @property
    def about(self) -> str:
        """The ticket."""
        return self.sha256


class EvaluationStarted(Event):
    """A worker begins an evaluation of a level's ticket, named as in `Evaluated`.

    One that neither was made nor failed since was cut short together with its worker.
    """

    kind: Literal["evaluation_started"] = "evaluation_started"
    name: str


class Evaluated(Event):
    """An evaluation of a level's ticket.

    `name` is its name with the settings that are not at their defaults; `files` are paths within
    the run's folder; `inapplicable` is why it means nothing for this ticket, if it does not.
    `tickets` are the checksums of the tickets it is of: the level's, then those that its settings
    name; none from older versions, and where a method tells of its own training.
    """

    kind: Literal["evaluated"] = "evaluated"
    once = "name"
    name: str
    metrics: dict[str, float]
    files: tuple[str, ...] = ()
    inapplicable: str | None = None
    tickets: tuple[str, ...] = ()

    @property
    def about(self) -> tuple[str, ...]:
        """The tickets."""
        return self.tickets

    def outdated(self, since: TicketSaved | Evaluated) -> bool:
        """Whether an event that came after it tells of another ticket of its level."""
        new = (since.sha256,) if isinstance(since, TicketSaved) else since.tickets[:1]
        return bool(self.level == since.level and self.tickets and new) and self.tickets[:1] != new


class EvaluationFailed(Event):
    """An evaluation of a level's ticket that could not be made; the run is none the worse."""

    kind: Literal["evaluation_failed"] = "evaluation_failed"
    name: str
    error: str


class Sampled(Event):
    """Load of the host and the device, named as MLflow's system metrics; `tick` counts samples."""

    kind: Literal["sampled"] = "sampled"
    tick: int
    metrics: dict[str, float]


class Warned(Event):
    """Something the user should know and that did not stop the run."""

    kind: Literal["warned"] = "warned"
    message: str


class Winning(BaseModel):
    """The level that `select` picked; `beats_dense` on the selecting split."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    level: int
    density: float
    val_accuracy: float | None = None
    test_accuracy: float | None = None
    ticket: str | None = None
    beats_dense: bool | None = None


class RunEnded(Event):
    """A worker left the run. `cause` is one of `engine.causes.Cause` if it failed."""

    kind: Literal["run_ended"] = "run_ended"
    status: Literal["finished", "failed", "stopped"]
    error: str | None = None
    cause: str | None = None
    winning: Winning | None = None


KINDS: dict[str, type[Event]] = {
    "run_started": RunStarted,
    "level_started": LevelStarted,
    "epoch_ended": EpochEnded,
    "mask_changed": MaskChanged,
    "level_ended": LevelEnded,
    "ticket_saved": TicketSaved,
    "evaluation_started": EvaluationStarted,
    "evaluated": Evaluated,
    "evaluation_failed": EvaluationFailed,
    "sampled": Sampled,
    "warned": Warned,
    "run_ended": RunEnded,
}


def parse(line: bytes) -> Event | None:
    """Read one journal line; None for a kind from the future or a line that is no event."""
    try:
        raw: Any = from_json(line)
        kind = KINDS.get(raw["kind"])
        return kind.model_validate(raw) if kind else None
    except (ValueError, KeyError, TypeError, ValidationError):
        return None


class Succession:
    """Tells which events of a journal count: once a newer attempt has written, no older one's do.

    A replaced worker writes no more, but a line of its may have been under way to a shared disk.
    """

    def __init__(self) -> None:
        self._newest = 0

    def admits(self, event: Event) -> bool:
        """Whether an event counts; to be asked of every event, in the journal's order."""
        self._newest = max(self._newest, event.attempt)
        return event.attempt in (0, self._newest)


class Tail:
    """Reads a journal from where it last stopped."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path, self.offset = path, offset
        self._succession = Succession()

    def lines(self) -> Iterator[bytes]:
        """Yield the lines that were completed since the last call, without their ends."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return
        complete, newline, _ = data.rpartition(b"\n")
        self.offset += len(complete) + len(newline)
        yield from filter(None, complete.split(b"\n"))

    def read(self) -> Iterator[Event]:
        """Yield the events that were completed since the last call."""
        for line in self.lines():
            event = self.event(line)
            if event is not None:
                yield event

    def event(self, line: bytes) -> Event | None:
        """The event of one of its lines; None if that does not count."""
        event = parse(line)
        return event if event is not None and self._succession.admits(event) else None


class Journal:
    """Appends the events of one attempt; the worker is its only writer.

    Raises:
        OSError: the journal can't be opened or written, such as on a full disk.
    """

    def __init__(self, path: Path, run_id: str, attempt: int) -> None:
        self._stamp = {"run_id": run_id, "attempt": attempt}
        self._written = {_key(event): event.about for event in Tail(path).read() if event.once}
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.ftruncate(self._file, _terminated(path))

    def append(self, event: Event) -> bool:
        """Write an event with run, attempt and time; False if that was done already."""
        event = event.model_copy(update={**self._stamp, "time": event.time or time.time()})
        key = _key(event) if event.once else None
        if key in self._written and self._written[key] == event.about:
            return False
        line = event.model_dump_json(exclude_none=True) + "\n"
        _write_all(self._file, line.encode())
        if key:
            self._written[key] = event.about
        return True

    def sync(self) -> None:
        """Put everything written so far on the disk."""
        os.fsync(self._file)

    def close(self) -> None:
        """Sync and close."""
        os.fsync(self._file)
        os.close(self._file)


def _key(event: Event) -> tuple[str, int | None, object]:
    return event.kind, event.level, getattr(event, event.once)


def _terminated(path: Path) -> int:
    """The length of a journal up to and including its last newline."""
    return path.read_bytes().rfind(b"\n") + 1


def _write_all(file: int, data: bytes) -> None:
    """Write a whole line, or nothing of it, so that a full disk leaves no half line behind."""
    end = os.lseek(file, 0, os.SEEK_END)
    try:
        while data:
            data = data[os.write(file, data) :]
    except OSError:
        os.ftruncate(file, end)
        raise
