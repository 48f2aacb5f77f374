"""A run's journal brought over into MLflow: what each kind of event becomes there.

Whatever is done here may be done again: rows carry the journal's own times and are then the same
rows, records are looked for before they are made, files are replaced whole. The offset kept in
`mlflow.json` only spares work.
"""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Iterator
from pathlib import Path

from engine import link, noted, schema
from engine.errors import StoreAway, UsageError
from engine.events import (
    Evaluated,
    Event,
    LevelEnded,
    LevelStarted,
    RunEnded,
    RunStarted,
    Succession,
    Tail,
    TicketSaved,
    parse,
)
from engine.filesystems import locked
from engine.filing import Cabinet
from engine.mlrun import MlflowRun, Row
from engine.mlstore import ensure_store
from engine.rundir import RunDirectory, Status, ended_as, write_json
from engine.spec import RunSpec
from engine.storefile import STORE

_LINES_AT_ONCE = 500


class Mirror:
    """Keeps the MLflow run of one run folder equal to its journal.

    Args:
        directory: the run's folder.
        spec: what the run was asked.
        whole: begin at the journal's start, not where an earlier mirror left off.

    Raises:
        UsageError: nothing has happened yet.
        StoreError: the store, the experiment or the run cannot be used.
    """

    def __init__(self, directory: RunDirectory, spec: RunSpec, whole: bool = False) -> None:
        self._directory, self._spec = directory, spec
        self._journal = directory.events_file
        started = begun(directory)
        if started is None:
            raise UsageError(f"{directory.run_id} has not started yet; there is nothing to sync")
        self.uri = tracking_uri(directory, spec)
        self._store = self._identity()
        linked = link.read(directory)
        self._noted = linked if linked and linked.tracking_uri == self.uri else None
        known = self._noted.mlflow_run_id if self._noted else ""
        self.run = MlflowRun(directory, spec, self.uri, _ms(started), known)
        self._cabinet = Cabinet(directory.path)
        self._status: tuple[Status, int] | None = None
        self._offset = 0 if whole else self._remembered()
        before = self._noted.settled if self._noted else None
        self._attempt = before.attempt if before and self._offset else 0
        self._succession = Succession()
        self._succession.admits(Event(kind="", attempt=self._attempt))
        self.rows = 0

    @property
    def fresh(self) -> bool:
        """Whether the store is still the file that it was."""
        return self._store == self._identity()

    def catch_up(self) -> None:
        """Send everything that the journal has gained, files apart.

        Raises:
            Exception: MLflow's, SQLAlchemy's or the system's; calling again goes on.
        """
        while True:
            events, offset = read(self._journal, self._offset, _LINES_AT_ONCE)
            if offset == self._offset:
                break
            succession = copy.copy(self._succession)  # kept once its events have been sent
            self._send([event for event in events if succession.admits(event)])
            self._offset, self._succession = offset, succession

    def settle(
        self,
        status: Status | None = None,
        end: float = 0.0,
        error: str | None = None,
        attempt: int = 0,
    ) -> None:
        """Set the status: the one given, or else what the journal's last word was.

        Args:
            end: when the run ended, in seconds since 1970.
            error: why it failed, where the journal doesn't say.
            attempt: the one whose status it is; by default the newest in the journal.
        """
        if error:
            self.run.set_tags({schema.ERROR: error})
        if status is not None:
            self._tell(status, _ms(end))
        elif self._status is not None:
            self._tell(*self._status)
        self._attempt = max(self._attempt, attempt)

    def _tell(self, status: Status, end: int) -> None:
        """Set MLflow's status, and ours where that says less; `end` as in `MlflowRun`."""
        self.run.set_status(schema.MLFLOW_STATUS[status], end)
        more = status in (Status.PAUSED, Status.LOST)
        self.run.set_tags({schema.STATUS: status.value if more else ""})

    def file(self) -> None:
        """File what `catch_up` found to file, and remember how far the mirror got; then, notes.

        Raises:
            Exception: MLflow's or the system's; calling again goes on.
        """
        self._cabinet.empty()
        self._remember(self._told)
        changed = noted.read(self._directory)
        if changed.newest > self._told:
            self.run.annotate(changed)
            self._remember(changed.newest)

    @property
    def _told(self) -> int:
        """The last change in notes.json that this very run in MLflow was told of."""
        before = self._noted
        return before.noted if before and before.mlflow_run_id == self.run.run_id else 0

    def _remember(self, told: int) -> None:
        now = link.Link(
            experiment_id=self.run.experiment_id,
            mlflow_run_id=self.run.run_id,
            tracking_uri=self.uri,
            offset=self._offset,
            settled=link.Settled(attempt=self._attempt, status=self.run.status),
            noted=told,
        )
        if now != self._noted:
            write_json(self._directory.mlflow_file, now.model_dump())
            self._noted = now

    def _identity(self) -> tuple[int, int] | None:
        """Which file the local store is."""
        if not self.uri.startswith("sqlite:"):
            return None
        try:
            found = (self._directory.root / STORE).stat()
        except OSError:
            return (0, 0)
        return found.st_dev, found.st_ino

    def _remembered(self) -> int:
        before = self._noted
        if before is None or before.mlflow_run_id != self.run.run_id:
            return 0
        return before.offset if before.offset <= self._journal.stat().st_size else 0

    def _send(self, events: list[Event]) -> None:
        rows: list[Row] = []
        levels = [event.level for event in events if isinstance(event, LevelStarted)]
        if levels:
            self.run.set_tags({schema.LEVEL: str(levels[-1])})
        for event in events:
            if isinstance(event, LevelEnded):
                self.run.log_level(event.level or 0, _facts(event), _rows(event))
            else:
                rows += _rows(event)
            self._follow(event)
            self.rows += len(_rows(event))
        self.run.log(rows)

    def _follow(self, event: Event) -> None:
        """Do what an event asks for besides rows."""
        self._attempt = max(self._attempt, event.attempt)
        if isinstance(event, RunStarted):
            self._started(event)
        elif isinstance(event, TicketSaved):
            self._saved(event)
        elif isinstance(event, Evaluated):
            for file in event.files:
                self._cabinet.add(self.run.drawer, file, str(Path(file).parent))
        elif isinstance(event, RunEnded):
            self._finished(event)

    def _started(self, event: RunStarted) -> None:
        self._status = (Status.RUNNING, 0)
        self.run.set_params(schema.params_of(self._spec))
        self.run.set_data(event.subset, event.images)
        self.run.set_tags(
            {
                schema.LEVELS: str(event.levels),
                schema.FLOPS: "" if event.flops is None else repr(event.flops),
                schema.ERROR: "",
                **_environment(event),
            }
        )
        for file in (self._directory.spec_file, self._directory.subset_file):
            self._cabinet.add(self.run.drawer, file.name)

    def _saved(self, event: TicketSaved) -> None:
        self.run.set_sha256(self.run.record(event.level or 0, _facts(event)), event.sha256)
        self._file_ticket(event, Path(event.path).with_suffix(".json"))

    def _finished(self, event: RunEnded) -> None:
        """A worker left. Tickets are filed only now: until then `keep` may drop them again."""
        self._status = (ended_as(event.status, self._directory), _ms(event.time))
        if event.error:
            self.run.set_tags({schema.ERROR: event.error})
        if event.winning:
            self.run.set_tags({schema.WINNING: str(event.winning.level)})
            self.run.set_winning(event.winning.level)
        if event.status != "stopped":
            for saved in Tail(self._journal).read():
                if isinstance(saved, TicketSaved):
                    self._file_ticket(saved, Path(saved.path))
        self._cabinet.add(self.run.drawer, self._directory.log_file.name)

    def _file_ticket(self, event: TicketSaved, file: Path) -> None:
        """Put a file of a ticket with its level's record, and among the run's artifacts."""
        level = event.level or 0
        self._cabinet.add(self.run.record(level, _facts(event)).drawer, str(file))
        self._cabinet.add(self.run.drawer, str(file), f"tickets/level-{level:02d}")


@contextlib.contextmanager
def only_mirror(directory: RunDirectory) -> Iterator[None]:
    """Hold a run's mirror lock: two processes that make its MLflow run at once make it twice.

    Raises:
        StoreAway: another process holds it.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(directory.path / "mlflow.lock", wait=False))
        except BlockingIOError:
            raise StoreAway(
                f"{directory.run_id} is being written to MLflow by another process, its own worker"
                " or another sync; nothing to do"
            ) from None
        yield


def begun(directory: RunDirectory) -> float | None:
    """When a run began, in seconds since 1970: the time of its first event, if there is one."""
    for limit in (1, _LINES_AT_ONCE):  # lines from the future, or damaged, are no events
        first, _ = read(directory.events_file, 0, limit)
        if first:
            return first[0].time
    return None


def tracking_uri(directory: RunDirectory, spec: RunSpec) -> str:
    """Where a run is logged: its server, or the local store, which is created if need be.

    Raises:
        StoreError: the local store cannot be used.
    """
    return spec.tracking if "://" in spec.tracking else ensure_store(directory.root)


def read(journal: Path, offset: int, limit: int) -> tuple[list[Event], int]:
    """Up to `limit` lines of a journal from `offset` as events, and where the next line starts.

    What is read is on the disk: a power cut must not take back what MLflow has been told.
    """
    events: list[Event] = []
    try:
        with journal.open("rb") as file:
            os.fsync(file.fileno())
            file.seek(offset)
            for line, _ in zip(file, range(limit), strict=False):
                if not line.endswith(b"\n"):
                    break
                offset += len(line)
                event = parse(line)
                if event is not None:
                    events.append(event)
    except FileNotFoundError:
        pass
    return events, offset


def _rows(event: Event) -> list[Row]:
    time, step = _ms(event.time), schema.step_of(event)
    return [Row(key, value, time, step) for key, value in schema.metrics_of(event).items()]


def _facts(event: LevelEnded | TicketSaved) -> dict[str, str]:
    return {
        "density": f"{event.density:.6g}",
        "kept": str(event.kept),
        "total": str(event.total),
        "search": str(event.search).lower(),
    }


def _environment(event: RunStarted) -> dict[str, str]:
    """Tags for the commit, as MLflow names it, and for the rest of the environment."""
    names = {"git_commit": "mlflow.source.git.commit", "git_dirty": "mlflow.source.git.dirty"}
    return {
        names.get(key, f"lthtui.environment.{key}"): str(value).lower()
        if isinstance(value, bool)
        else str(value)
        for key, value in event.environment.items()
        if value is not None and key != "pid"
    }


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
