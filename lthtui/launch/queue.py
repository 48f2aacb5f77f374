"""What clients do with runs: submit, cancel, pause and resume them. Many may do so at once."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.errors import UsageError
from engine.launchspec import LaunchSpec
from engine.processes import Process
from engine.rundir import RunDirectory, Status, run_id, status, write_json
from engine.spec import RunSpec
from lthtui import identity
from lthtui.launch import devices, lease

_ALIKE = re.compile(r"-([0-9a-f]{6}-s\d+)(?:-\d+)?$")  # what ids of the same settings share
GRACE = 30.0  # seconds a worker gets to finish its step and write a checkpoint


class Entry(BaseModel):
    """queue/<run id>.json: a run that waits, and what its place in the order depends on.

    Attributes:
        order: earlier first (nanoseconds since 1970 when it was queued).
        priority: higher before lower, whatever the order.
        visible: CUDA_VISIBLE_DEVICES of who queued it; None if it was not set.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    run_id: str
    order: int
    priority: int = 0
    visible: str | None = None
    launch: LaunchSpec


@dataclass(frozen=True)
class Submitted:
    """What became of one submitted spec.

    Attributes:
        action: `new` and `resumed` runs were queued; an `active` one already waits or runs; a
            `finished` one is left as it is.
        attempt: the number of its newest attempt before; 0 if there was none.
        journal: bytes that its journal had before.
    """

    directory: RunDirectory
    action: Literal["new", "resumed", "active", "finished"]
    attempt: int = 0
    journal: int = 0

    @property
    def queued(self) -> bool:
        """Whether this submission queued it."""
        return self.action in ("new", "resumed")


def submit(
    root: Path, specs: Sequence[RunSpec], *, again: bool = False, priority: int = 0
) -> list[Submitted]:
    """Queue runs in the order of `specs`, and make sure that somebody dispatches them.

    The same settings and seed are the same run: it is resumed in its own folder, with its images
    wherever they are now, or left alone if it is finished, unless `again` asks for a new one. If
    it was made as a control of another run, or as none, it is noted that it stands for this, too.

    Raises:
        UsageError: a run asks for a GPU that this machine does not have.
        OSError: a folder or file can't be written; then nothing is queued.
    """
    root = root.absolute()
    _check_devices(specs)
    with locked(root):
        anchored = [_anchored(spec) for spec in specs]
        done = [*_choose(root, anchored, again)]
        try:
            for submitted, spec in zip(done, anchored, strict=True):
                if submitted.action == "new":
                    _make(submitted.directory, spec)
                else:
                    identity.note(submitted.directory, spec)
                if submitted.action == "resumed":
                    _relocate(submitted.directory, spec)
                if submitted.queued:
                    _enqueue(submitted.directory, spec.launch, priority)
        except OSError:  # all of them or none: half a sweep would only surprise
            for submitted in done:
                if submitted.queued:
                    submitted.directory.queue_file.unlink(missing_ok=True)
            raise
        if any(submitted.queued for submitted in done):
            lease.ensure(root)
    return done


def preview(root: Path, specs: Sequence[RunSpec], *, again: bool = False) -> list[Submitted]:
    """What `submit` would do, without doing it."""
    _check_devices(specs)
    return [*_choose(root.absolute(), [_anchored(spec) for spec in specs], again)]


def resume(runs: Sequence[RunDirectory], *, priority: int = 0) -> list[Submitted]:
    """Queue runs again, each in its own folder, from its last checkpoint.

    A finished run, and one that waits or runs already, is left alone.
    """
    done = []
    for directory in runs:
        with locked(directory.root):
            submitted = _known(directory)
            if submitted.queued:
                _enqueue(directory, directory.spec().launch, priority)
                lease.ensure(directory.root)
        done.append(submitted)
    return done


def cancel(runs: Sequence[RunDirectory], *, grace: float = GRACE) -> None:
    """Stop runs, and return once all have ended: waiting ones at once, others at a checkpoint.

    A worker that is still there after `grace` seconds is killed with everything it started.

    Raises:
        UsageError: a run is on another machine.
    """
    _stop(runs, "stop", grace)


def pause(runs: Sequence[RunDirectory], *, grace: float = GRACE) -> None:
    """As `cancel`, but the runs count as paused."""
    _stop(runs, "pause", grace)


def entries(root: Path) -> list[Entry]:
    """Runs that wait, in the order in which they will start."""
    found = [_entry(path) for path in (root / "queue").glob("*.json")]
    return sorted(
        (entry for entry in found if entry), key=lambda entry: (-entry.priority, entry.order)
    )


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the lock under which the queue is changed."""
    for folder in (root / "runs", root / "queue"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(root / "queue" / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _check_devices(specs: Sequence[RunSpec]) -> None:
    """Refuse GPUs that are not here; without names there is nothing to ask the driver for."""
    for spec in specs:
        if not isinstance(spec.launch.devices, str):
            devices.eligible(spec.launch.devices, _visible())


def _choose(root: Path, specs: Sequence[RunSpec], again: bool) -> Iterator[Submitted]:
    """Find the folder of each spec's run, or a free name for a new one."""
    try:
        known = os.listdir(root / "runs")
    except FileNotFoundError:
        known = []
    used = {name for name in known if (root / "runs" / name / "spec.yaml").exists()}
    alike: dict[str, list[str]] = defaultdict(list)
    for name in used:
        if match := _ALIKE.search(name):
            alike[match[1]].append(name)
    chosen: dict[str, Submitted] = {}
    for spec in specs:
        if spec.digest in chosen and not again:
            yield replace(chosen[spec.digest], action="active")
            continue
        names = [] if again else alike[f"{spec.digest[:6]}-s{spec.seed}"]
        found = _newest([RunDirectory(root / "runs" / name) for name in names], spec.digest)
        if found is None:
            found = Submitted(RunDirectory(root / "runs" / _free(spec, used)), "new")
            used.add(found.directory.run_id)
        chosen[spec.digest] = found
        yield found


def _free(spec: RunSpec, used: Collection[str]) -> str:
    """An id for a new run."""
    first = run_id(spec, time.strftime("%Y%m%d", time.gmtime()))
    numbered = (f"{first}-{number}" for number in count(2))
    return next(name for name in chain([first], numbered) if name not in used)


def _make(directory: RunDirectory, spec: RunSpec) -> None:
    directory.path.mkdir(mode=0o700, exist_ok=True)
    identity.store(directory, spec)
    _write_spec(directory, spec)


def _relocate(directory: RunDirectory, spec: RunSpec) -> None:
    """Take over where images and lists are now; all else of the run stays as it was asked first."""
    stored = directory.spec()
    places = {"root": spec.data.root, "examples": spec.data.examples}
    data = stored.data.model_copy(update=places)
    if data != stored.data:
        _write_spec(directory, stored.model_copy(update={"data": data}))


def _newest(alike: Sequence[RunDirectory], digest: str) -> Submitted | None:
    """The newest run of a digest, and what is to be done with it."""
    same = [directory for directory in alike if _digest(directory) == digest]
    newest = max(same, key=_age, default=None)
    return _known(newest) if newest else None


def _age(directory: RunDirectory) -> tuple[int, int, str]:
    """What sorts runs of one digest, the oldest first; clocks of file systems tick slowly."""
    name = directory.run_id
    return directory.spec_file.stat().st_mtime_ns, len(name), name


def _known(directory: RunDirectory) -> Submitted:
    """A run that is there, as a submission finds it."""
    launch = directory.launch()
    try:
        journal = directory.events_file.stat().st_size
    except FileNotFoundError:
        journal = 0
    return Submitted(directory, _action(directory), launch.attempt if launch else 0, journal)


def _digest(directory: RunDirectory) -> str | None:
    """The digest of a stored spec; None if it can't be read, as with an older format."""
    try:
        return directory.spec().digest
    except (OSError, ValueError):
        return None


def _write_spec(directory: RunDirectory, spec: RunSpec) -> None:
    from lthtui import specfiles

    temporary = directory.path / ".spec.yaml.tmp"
    with open(temporary, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(specfiles.write(spec))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(directory.spec_file)


def _anchored(spec: RunSpec) -> RunSpec:
    """The spec with `data.root` relative to nothing: the worker runs in no particular folder."""
    root = os.path.abspath(spec.data.root)
    return spec.model_copy(update={"data": spec.data.model_copy(update={"root": root})})


def _action(directory: RunDirectory) -> Literal["resumed", "active", "finished"]:
    match status(directory):
        case Status.QUEUED | Status.RUNNING:
            return "active"
        case Status.FINISHED:
            return "finished"
        case _:
            return "resumed"


def _enqueue(directory: RunDirectory, launch: LaunchSpec, priority: int) -> None:
    directory.request_file.unlink(missing_ok=True)
    entry = Entry(
        run_id=directory.run_id,
        order=time.time_ns(),
        priority=priority,
        visible=_visible(),
        launch=launch,
    )
    write_json(directory.queue_file, entry.model_dump(mode="json"))


def _entry(path: Path) -> Entry | None:
    try:
        return Entry.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):  # started meanwhile, or not ours
        return None


def _visible() -> str | None:
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def _stop(runs: Sequence[RunDirectory], verb: Literal["stop", "pause"], grace: float) -> None:
    for directory in runs:
        _refuse_elsewhere(directory)
    workers = [worker for directory in runs for worker in _dequeue(directory, verb)]
    _signal_and_wait(workers, signal.SIGTERM, grace)
    _signal_and_wait(workers, signal.SIGQUIT, 30.0)  # a shim kills all that its worker started
    _signal_and_wait(workers, signal.SIGKILL, 5.0)  # and its worker dies with it


def _refuse_elsewhere(directory: RunDirectory) -> None:
    sign = directory.heartbeat() or directory.launch()
    if sign and not sign.process.here and status(directory) == Status.RUNNING:
        host = sign.process.host
        raise UsageError(f"{directory.run_id} runs on {host}; give the command on that machine")


def _dequeue(directory: RunDirectory, verb: Literal["stop", "pause"]) -> Iterator[Process]:
    """Take a run out of the queue for good, and yield what runs of it already."""
    with locked(directory.root):
        state = status(directory)
        if state in (Status.QUEUED, Status.RUNNING):
            directory.ask(verb)
        directory.queue_file.unlink(missing_ok=True)
    for sign in (directory.launch(), directory.heartbeat()):
        if sign and sign.process.alive:  # the shim if there is one, otherwise the worker itself
            yield sign.process
            return


def _signal_and_wait(workers: Iterable[Process], number: int, seconds: float) -> None:
    """Send a signal to those that live, and wait until they have ended or time is up."""
    alive = [worker for worker in workers if worker.signal(number)]
    deadline = time.monotonic() + seconds
    for worker in alive:
        try:
            handle = os.pidfd_open(worker.pid)
        except ProcessLookupError:
            continue
        try:
            if worker.alive:
                select.select([handle], [], [], max(0.0, deadline - time.monotonic()))
        finally:
            os.close(handle)
