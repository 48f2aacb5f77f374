"""Queues runs: what clients submit, resume, retry, hold and release. Many may do so at once."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal

from engine.errors import UsageError
from engine.launchspec import LaunchSpec
from engine.rundir import RunDirectory, Status, run_id, status
from engine.spec import RunSpec
from lthtui import identity
from lthtui.launch import devices, entries, later, lease, limits, owner, slots, waits
from lthtui.launch.entries import Entry
from lthtui.launch.turns import Turns

_ALIKE = re.compile(r"-([0-9a-f]{6}-s\d+)(?:-\d+)?$")  # what ids of the same settings share


@dataclass(frozen=True)
class Turn:
    """When runs are to have their turn.

    Attributes:
        priority: higher before lower.
        after: runs that have to have finished before.
        hold: whether they wait until somebody releases them.
    """

    priority: int = 0
    after: tuple[RunDirectory, ...] = ()
    hold: bool = False


NOW = Turn()


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
    root: Path, specs: Sequence[RunSpec], *, again: bool = False, turn: Turn = NOW
) -> list[Submitted]:
    """Queue runs in the order of `specs`, and make sure that somebody dispatches them.

    The same settings and seed are the same run: it is resumed in its own folder, with its images
    wherever they are now, or left alone if it is finished, unless `again` asks for a new one. If
    it was made as a control of another run, or as none, it is noted that it stands for this, too.

    Raises:
        UsageError: a run asks for a GPU that this machine does not have or for what its cluster
            refuses, would wait for itself, or the root belongs to somebody else.
        OSError: a folder or file can't be written; then nothing is queued.
    """
    root = root.absolute()
    owner.check(root)
    _check_places(root, [spec.launch for spec in specs])
    with entries.locked(root):
        anchored = [_anchored(spec) for spec in specs]
        done = [*_choose(root, anchored, again)]
        for submitted in done:
            _check_order(submitted.directory, turn.after)
        try:
            for submitted, spec in zip(done, anchored, strict=True):
                if submitted.action == "new":
                    _make(submitted.directory, spec)
                else:
                    identity.note(submitted.directory, spec)
                if submitted.action == "resumed":
                    _relocate(submitted.directory, spec)
                if submitted.queued:
                    _enqueue(submitted.directory, spec.launch, turn)
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
    _check_places(root.absolute(), [spec.launch for spec in specs])
    return [*_choose(root.absolute(), [_anchored(spec) for spec in specs], again)]


def resume(runs: Sequence[RunDirectory], *, turn: Turn = NOW) -> list[Submitted]:
    """Queue runs again, each in its own folder, from its last checkpoint.

    A finished run, and one that waits or runs already, is left alone.

    Raises:
        UsageError: a run would wait for itself, or the root belongs to somebody else.
    """
    done = []
    for directory in runs:
        owner.check(directory.root)
        _check_order(directory, turn.after)
    for directory in runs:
        with entries.locked(directory.root):
            submitted = _known(directory)
            if submitted.queued:
                launch = directory.spec().launch
                _check_places(directory.root, [launch])
                _enqueue(directory, launch, turn)
                lease.ensure(directory.root)
        done.append(submitted)
    return done


def hold(runs: Sequence[RunDirectory]) -> list[RunDirectory]:
    """Have waiting runs wait until `release`; returns those that did wait."""
    return _change(runs, hold=True)


def release(runs: Sequence[RunDirectory]) -> list[RunDirectory]:
    """Let held runs have their turn, and runs that are to be tried again have it now."""
    return _change(runs, hold=False, not_before=0.0)


def prioritise(runs: Sequence[RunDirectory], priority: int) -> list[RunDirectory]:
    """Change the priority of waiting runs; returns those that did wait."""
    return _change(runs, priority=priority)


def limit(root: Path, kind: Literal["users", "devices"], name: str, most: int | None) -> None:
    """Set the most runs at once of a person or on a device; None lifts the limit."""
    owner.check(root)
    with entries.locked(root):
        known = limits.read(root)
        others = {key: value for key, value in getattr(known, kind).items() if key != name}
        of = others if most is None else {**others, name: most}
        limits.write(root, known.model_copy(update={kind: of}))
        lease.ensure(root)


def rouse(root: Path) -> None:
    """Have somebody look after what was left alone, such as after the machine was restarted."""
    with suppress(OSError):  # where nothing can be written, nothing can be started either
        if owner.of(root) == os.geteuid() and not waits.dispatched(root) and _left_alone(root):
            lease.ensure(root)


def _left_alone(root: Path) -> bool:
    """Whether a queue process would find something to do."""
    if slots.Ledger(lease.slots(root)).places() or later.due(root):
        return True
    turns = Turns(root, limits.read(root), {})
    obstacles = (turns.obstacle(entry) for entry in entries.read(root))
    return any(obstacle is None or obstacle.passes for obstacle in obstacles)


def _change(runs: Sequence[RunDirectory], **fields: Any) -> list[RunDirectory]:
    changed = []
    for directory in runs:
        owner.check(directory.root)
        with entries.locked(directory.root):
            if entries.change(directory, **fields):
                changed.append(directory)
                lease.ensure(directory.root)
    return changed


def _check_places(root: Path, launches: Sequence[LaunchSpec]) -> None:
    """Refuse GPUs that are not here, and what this machine's cluster would refuse."""
    jobs = [launch for launch in launches if launch.slurm]
    for launch in launches:
        if launch.slurm is None and (not isinstance(launch.devices, str) or launch.memory):
            devices.eligible(launch.devices, _visible(), launch.memory)
    if jobs:
        from lthtui.launch.backends import slurm

        slurm.check(root, jobs)


def _choose(root: Path, specs: Sequence[RunSpec], again: bool) -> Iterator[Submitted]:
    """Find the folder of each spec's run, or a free name for a new one."""
    try:
        known = os.listdir(root / "runs")
    except (FileNotFoundError, NotADirectoryError):  # making it will say what is in the way
        known = []
    used = {name for name in known if os.path.exists(root / "runs" / name / "spec.yaml")}
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
    identity.store(directory, spec, entries.person())
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


def _enqueue(directory: RunDirectory, launch: LaunchSpec, turn: Turn) -> None:
    directory.request_file.unlink(missing_ok=True)
    entry = Entry(
        run_id=directory.run_id,
        order=time.time_ns(),
        priority=turn.priority,
        visible=_visible(),
        user=entries.person(),
        host=entries.host(directory.root),
        after=tuple(run.run_id for run in turn.after),
        hold=turn.hold,
        launch=launch,
    )
    entries.write(directory.root, entry)


def _visible() -> str | None:
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def _check_order(directory: RunDirectory, after: Iterable[RunDirectory]) -> None:
    """Refuse to have a run wait for itself, by however many others."""
    ahead, seen = [run.run_id for run in after], set[str]()
    while ahead:
        run = ahead.pop()
        if run == directory.run_id:
            raise UsageError(f"{run} would wait for itself; name other runs with --after")
        if run not in seen:
            seen.add(run)
            entry = entries.find(RunDirectory(directory.root / "runs" / run))
            ahead += entry.after if entry else ()
