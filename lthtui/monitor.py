"""What runs are doing: a cheap watch over their folders, and the JSON object that shows one run."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine import link, noted
from engine.errors import NO_ROOM
from engine.events import Tail
from engine.rundir import RunDirectory, Status, stalled, status
from lthtui import identity, notes, people
from lthtui.identity import Identity
from lthtui.notebook import Notes
from lthtui.progress import LevelProgress, RunProgress
from lthtui.text import clean_line

TOLD = frozenset(
    ("events.jsonl", "launch.json", "exit.json", "request.json", "mlflow.json", noted.FILE)
)
_EVALUATED = {"level", "name", "metrics", "files", "inapplicable"}
TICK = 100_000_000  # nanoseconds; file systems' clocks tick at least this often


class Watched:
    """One run's folder, of which only what is new is read again. Safe to share among threads.

    Attributes:
        status: what it was doing at the last `refresh`.
        stalled: it runs, but has given no sign of life for a while.
    """

    def __init__(self, directory: RunDirectory, *, curves: bool = True) -> None:
        self.directory = directory
        self.status = Status.QUEUED
        self.stalled = False
        self._curves = curves
        self._seen: tuple[Any, ...] | None = None
        self._identity: Identity | None = None
        self._progress = RunProgress()
        self._tail = Tail(directory.events_file)
        self._lock = threading.Lock()

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.directory.run_id

    @property
    def identity(self) -> Identity:
        """What it is called and compared by."""
        if self._identity is None:
            self._identity = identity.read(self.directory)
        return self._identity

    @property
    def progress(self) -> RunProgress:
        """What its journal tells so far. The first call reads the whole journal."""
        with self._lock:
            self._start_over()
            for line in self._tail.lines():
                if self._curves or b'"epoch_ended"' not in line:
                    event = self._tail.event(line)
                    if event:
                        self._progress.apply(event)
            return self._progress

    def read_epochs(self, wanted: bool) -> None:
        """From the next time on, have `progress` tell of epochs, too, or of levels only."""
        with self._lock:
            if wanted != self._curves:
                self._curves = wanted
                self._progress = RunProgress()
                self._tail = Tail(self.directory.events_file)

    def _start_over(self) -> None:
        """Forget what a journal told that has been cut since, as by a copy of an earlier one."""
        if self._tail.offset > _size(self.directory.events_file):
            self._progress = RunProgress()
            self._tail = Tail(self.directory.events_file)

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.status in (Status.QUEUED, Status.RUNNING)

    @property
    def over(self) -> bool:
        """Whether it has ended, and will not be started again by itself."""
        from lthtui.launch import retrying  # here, as the app's first table does not wait for it

        if self.active or retrying.goes_on(self.directory):
            return False
        return status(self.directory) == self.status  # or it was stopped since, which is to be seen

    @property
    def trained(self) -> bool:
        """Whether the newest attempt has said how it ended, though its worker may go on a while."""
        launch = self.directory.launch()
        newest = launch.attempt if launch else 0
        return self.progress.ended is not None and self.progress.ended_attempt >= newest

    def refresh(self) -> bool:
        """Look at the folder again; whether anything that shows has changed."""
        seen = self._look()
        state = status(self.directory)
        late = state == Status.RUNNING and stalled(self.directory, time.time())
        changed = (seen, state, late) != (self._seen, self.status, self.stalled)
        self._seen, self.status, self.stalled = seen, state, late
        return changed

    def error(self) -> str | None:
        """Why it failed or was lost, in one line; None if it was not."""
        return self.trouble() if self.status in (Status.FAILED, Status.LOST) else None

    def trouble(self) -> str:
        """What became of the newest attempt of a run that failed or was lost, in one line."""
        progress, left, launch = self.progress, self.directory.exit(), self.directory.launch()
        spoke, exited = progress.ended_attempt, left.attempt if left else 0
        silent = max(spoke, exited) < (launch.attempt if launch else 0)
        if silent or self.status == Status.LOST:
            return "the worker vanished: it was killed together with its shim, or the machine went"
        if progress.error and exited <= spoke:
            return clean_line(" ".join(progress.error.split()), 2000)
        return _reason(left.code) if left else "the worker ended without a word; see its log"

    def mlflow_run_id(self) -> str | None:
        """Its run in the MLflow store; None before it is logged there."""
        noted = link.read(self.directory)
        return noted.mlflow_run_id if noted else None

    def mirrored(self) -> bool:
        """Whether MLflow has its whole journal, or was not asked to."""
        if self.directory.spec().tracking == "off":
            return True
        noted = link.read(self.directory)
        return noted is not None and link.complete(self.directory, noted)

    def describe(self, known: Notes | None = None) -> dict[str, Any]:
        """The JSON object that stands for a run everywhere.

        Args:
            known: what people noted of it, where that was read already.
        """
        facts, progress = self.identity, self.progress
        won = progress.winning
        return {
            "run_id": self.run_id,
            "name": facts.name,
            "experiment": facts.experiment,
            "group": facts.group,
            "family": facts.family,
            "digest": facts.digest,
            **facts.repetition.told,
            "status": self.status.value,
            "stalled": self.stalled,
            "user": people.of(self.directory, facts),
            "directory": str(self.directory.path),
            "mlflow_run_id": self.mlflow_run_id(),
            "sparsifier": facts.sparsifier,
            "dataset": facts.dataset,
            "model": facts.model,
            "controls": facts.controls.shown if facts.controls else None,
            "also_controls": [
                one.controls.shown for one in identity.others(self.directory) if one.controls
            ],
            "extends": self._extends(),
            "flops": progress.flops,
            "levels": [self._level(level) for level in progress.finished_levels],
            "evaluations": [
                one.model_dump(mode="json", include=_EVALUATED)
                for _, one in sorted(progress.evaluations.items())
            ],
            "unevaluated": [
                {"level": level, "name": name, "error": why}
                for (level, name), why in sorted(progress.unevaluated.items())
            ],
            "winning": {**won.model_dump(), "ticket": self._path(won.ticket)} if won else None,
            "error": self.error(),
            **(known or notes.read(self.directory)).shown,
        }

    def _level(self, level: LevelProgress) -> dict[str, Any]:
        return {
            "level": level.level,
            "density": level.density,
            "kept": level.kept,
            "total": level.total,
            "epochs": level.epochs,
            "val_accuracy": level.val_accuracy,
            "test_accuracy": level.test_accuracy,
            "val_balanced_accuracy": level.val_balanced_accuracy,
            "test_balanced_accuracy": level.test_balanced_accuracy,
            "seconds": level.seconds,
            "inference_flops": level.inference_flops,
            "training_flops": level.training_flops,
            "device_seconds": level.device_seconds,
            "joules": level.joules,
            "ticket": self._path(level.ticket),
        }

    def _extends(self) -> dict[str, Any] | None:
        """The run that it takes levels over from, and how much; None as long as that is open."""
        if self.identity.extends is None:
            return None
        open_ended = {"run": self.identity.extends, "levels": None, "epochs": None}
        try:
            taken = json.loads(self.directory.extends_file.read_bytes())
            return {key: taken[key] for key in open_ended}
        except (OSError, ValueError, LookupError, TypeError):
            return open_ended

    def _path(self, within: str | None) -> str | None:
        """The absolute path of a file that the journal names within the run's folder, if kept."""
        path = self.directory.path / within if within else None
        return str(path) if path and path.is_file() else None

    def _look(self) -> tuple[Any, ...]:
        """What tells that a file was made or changed that says something about the run."""
        try:
            with os.scandir(self.directory.path) as found:
                told = sorted((one.name, _stamp(one)) for one in found if one.name in TOLD)
        except OSError:
            told = []
        return (*told, os.path.exists(self.directory.queue_file))


class Monitor:
    """Watches all runs of a root, or only some of them."""

    def __init__(self, root: Path, only: Iterable[str] | None = None) -> None:
        self.root = root.absolute()
        self.runs: dict[str, Watched] = {}
        self._only = None if only is None else frozenset(only)
        self._folders: dict[str, int] = {}

    def take(self, run: str, state: Status, changed: int) -> Watched:
        """Have a run pass for one that was looked at and has ended.

        Args:
            changed: when an entry of its folder was last made or replaced (nanoseconds).
        """
        watched = self.runs[run] = Watched(RunDirectory(self.root / "runs" / run))
        watched.status, self._folders[run] = state, changed
        return watched

    def poll(self) -> list[Watched]:
        """Look again; the runs that changed since the last call, new ones included.

        Runs whose folder has vanished are dropped from `runs` silently.
        """
        now, folders = time.time_ns(), self._list()
        for gone in self.runs.keys() - folders.keys():
            del self.runs[gone]
        queued = _names(self.root / "queue")
        changed = []
        for run, stamp in folders.items():
            watched = self.runs.get(run)
            known = watched is not None and stamp == self._folders.get(run)
            if known and watched and not watched.active and f"{run}.json" not in queued:
                continue  # workers, shims and the queue all create files in a run's folder
            if watched is None:
                watched = self.runs[run] = Watched(RunDirectory(self.root / "runs" / run))
            if watched.refresh():
                changed.append(watched)
        # a change within one tick of a file system's clock would leave the same stamp
        self._folders = {run: stamp for run, stamp in folders.items() if now - stamp > TICK}
        return changed

    def _list(self) -> dict[str, int]:
        """Run folders, and when an entry of each was last made or replaced (nanoseconds)."""
        try:
            with os.scandir(self.root / "runs") as found:
                return {
                    one.name: one.stat().st_mtime_ns
                    for one in found
                    if (self._only is None or one.name in self._only)
                    and os.path.exists(os.path.join(one.path, "spec.yaml"))
                }
        except FileNotFoundError:
            return {}


def describe(directory: RunDirectory) -> dict[str, Any]:
    """The JSON object that stands for a run everywhere (design, section 8).

    Raises:
        OSError, ValueError: the folder has no spec that can be read.
    """
    watched = Watched(directory, curves=False)
    watched.refresh()
    return watched.describe()


def _reason(code: int) -> str:
    if code == NO_ROOM:
        return "the disk is full; `lthtui gc` says what can go"
    if code == -9:
        return "the worker was killed (signal 9); often the machine ran out of memory"
    if code < 0:
        return f"the worker was ended by signal {-code}"
    return f"the worker ended with exit code {code} and no word; see its log"


def _stamp(file: os.DirEntry[str]) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except FileNotFoundError:
        return set()
