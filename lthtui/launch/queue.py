"""Queues runs: what clients submit, resume, retry, hold and release. Many may do so at once."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal

from engine import outstanding
from engine.errors import UsageError
from engine.evaluationspec import EvaluationSettings
from engine.launchspec import LaunchSpec
from engine.repetition import WRITTEN
from engine.rundir import RunDirectory, Status, launched, run_id, status
from engine.spec import RunSpec
from lthtui import runnames
from lthtui.launch import (
    copied,
    devices,
    entries,
    folders,
    later,
    lease,
    limits,
    mirroring,
    owner,
    slots,
    waits,
)
from lthtui.launch.entries import Change, Entry
from lthtui.launch.turns import Turns

_ALIKE = re.compile(rf"-([0-9a-f]{{6}})-{WRITTEN}(?:-\d+)?$")  # the digest in an id


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
    wherever they are now, or left alone if it is finished, unless `again` asks for a new one or
    evaluations are listed that it lacks. If it was made as a control of another run, or as none, it
    is noted that it stands for this, too.

    Raises:
        UsageError: a run asks for a GPU that this machine does not have or for what its cluster
            refuses, would wait for itself, or the root belongs to somebody else.
        OSError: a folder or file can't be written; then nothing is queued.
    """
    root = root.absolute()
    owner.check(root)
    _check_places(root, [spec.launch for spec in specs])
    with entries.changing(root):
        anchored = [folders.anchored(spec) for spec in specs]
        done = [*_choose(root, anchored, again)]
        _check_order(root, [one.directory for one in done], turn.after)
        with _all_or_none(done):
            for submitted, spec in zip(done, anchored, strict=True):
                folders.prepare(submitted.directory, submitted.action, spec)
            _enter([(one, spec.launch) for one, spec in zip(done, anchored, strict=True)], turn)
            folders.sync(root, [one.directory for one in done if one.action == "new"])
        if any(submitted.queued for submitted in done):
            lease.ensure(root)
    return done


def preview(root: Path, specs: Sequence[RunSpec], *, again: bool = False) -> list[Submitted]:
    """What `submit` would do, without doing it."""
    _check_places(root.absolute(), [spec.launch for spec in specs])
    return [*_choose(root.absolute(), [folders.anchored(spec) for spec in specs], again)]


def resume(runs: Sequence[RunDirectory], *, turn: Turn = NOW) -> list[Submitted]:
    """Queue runs again, each in its own folder, from its last checkpoint.

    A finished run that lacks no evaluation, and one that waits or runs already, is left alone.

    Raises:
        UsageError: a run would wait for itself, or asks for what this machine or its cluster does
            not have, or the root belongs to somebody else.
        OSError: a file can't be written; then none of a root's runs is queued.
    """
    return evaluate([(run, ()) for run in runs], turn=turn)


def evaluate(
    asked: Iterable[tuple[RunDirectory, Sequence[EvaluationSettings]]], *, turn: Turn = NOW
) -> list[Submitted]:
    """Have runs evaluated besides what their specs list, those that go on once they are over.

    Raises:
        UsageError, OSError: as `resume`.
    """
    wanted, done = dict(asked), list[Submitted]()
    for root, ours in _by_root(wanted):
        owner.check(root)
        _check_order(root, ours, turn.after)
    for root, ours in _by_root(wanted):
        with entries.changing(root):
            for directory in ours:
                outstanding.ask(directory, wanted[directory])
            found = [_known(directory) for directory in ours]
            resumed = [(one, one.directory.spec().launch) for one in found if one.queued]
            _check_places(root, [launch for _, launch in resumed])
            with _all_or_none(found):
                _enter(resumed, turn)
            if resumed:
                lease.ensure(root)
        done += found
    return done


def hold(runs: Sequence[RunDirectory]) -> dict[str, Change]:
    """Have waiting runs wait until `release`; by run id what became of those that do wait."""
    return _change(runs, lambda entry: {"hold": True})


def release(runs: Sequence[RunDirectory]) -> dict[str, Change]:
    """Let held runs have their turn, and runs that are to be tried again have it now."""
    now = time.time()
    return _change(runs, lambda one: {"hold": False, "not_before": min(one.not_before, now)})


def prioritise(runs: Sequence[RunDirectory], priority: int) -> dict[str, Change]:
    """Change the priority of waiting runs; by run id what became of those that do wait."""
    return _change(runs, lambda entry: {"priority": priority})


def exchange(one: RunDirectory, other: RunDirectory) -> bool:
    """Give two waiting runs each other's turn; False if one of them waits here no more."""
    owner.check(one.root)
    with entries.changing(one.root):
        mine, theirs = entries.find(one), entries.find(other)
        if mine is None or theirs is None or mine.job or theirs.job:
            return False
        for entry, turn in ((mine, theirs), (theirs, mine)):
            fields = {"priority": turn.priority, "order": turn.order}
            entries.write(one.root, entry.model_copy(update=fields))
        lease.ensure(one.root)
    return True


def rouse(root: Path) -> None:
    """Have somebody look after what was left alone, such as after the machine was restarted.

    What waits in a copy of a root is started by who queues or releases runs there.
    """
    with suppress(OSError):  # where nothing can be written, nothing can be started either
        ours = owner.of(root) == os.geteuid() and copied.origin(root) is None
        if ours and not waits.dispatched(root) and _left_alone(root):
            lease.ensure(root)


def _left_alone(root: Path) -> bool:
    """Whether a queue process would find something to do."""
    if slots.Ledger(lease.slots(root)).places() or later.due(root) or mirroring.overdue(root):
        return True
    turns = Turns(root, limits.read(root), {})
    obstacles = (turns.obstacle(entry) for entry in entries.read(root))
    return any(obstacle is None or obstacle.passes for obstacle in obstacles)


def _change(
    runs: Sequence[RunDirectory], fields: Callable[[Entry], dict[str, Any]]
) -> dict[str, Change]:
    found: dict[str, Change] = {}
    for root, ours in _by_root(runs):
        owner.check(root)
        with entries.changing(root):
            for directory in ours:
                if entry := entries.find(directory):
                    found[directory.run_id] = _changed(root, entry, fields(entry))
            if found:
                lease.ensure(root)
    return found


def _changed(root: Path, entry: Entry, fields: dict[str, Any]) -> Change:
    if entry.job:
        return "elsewhere"
    wanted = entry.model_copy(update=fields)
    if wanted == entry:
        return "same"
    entries.write(root, wanted)
    return "changed"


def _by_root(runs: Iterable[RunDirectory]) -> Iterable[tuple[Path, list[RunDirectory]]]:
    """Runs by root, of which there is hardly ever more than one."""
    found: dict[Path, list[RunDirectory]] = {}
    for run in runs:
        found.setdefault(run.root, []).append(run)
    return found.items()


@contextmanager
def _all_or_none(done: Sequence[Submitted]) -> Iterator[None]:
    """If anything goes wrong, take all of them out again: half a sweep would only surprise."""
    new = [one.directory for one in done if one.action == "new"]
    made = [directory for directory in new if not directory.path.exists()]
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for one in done:
                if one.queued:
                    one.directory.queue_file.unlink(missing_ok=True)
            for directory in new:
                directory.spec_file.unlink(missing_ok=True)
        for directory in made:
            shutil.rmtree(directory.path, ignore_errors=True)
        raise


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
    used.update(runnames.ids(root, runnames.TRASH))  # so that either may go where the other is
    chosen: dict[str, Submitted] = {}
    for spec in specs:
        if spec.digest in chosen and not again:
            yield replace(chosen[spec.digest], action="active")
            continue
        names = [] if again else alike[spec.digest[:6]]
        found = _newest([RunDirectory(root / "runs" / name) for name in names], spec)
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


def _newest(alike: Sequence[RunDirectory], spec: RunSpec) -> Submitted | None:
    """The newest run of a spec's digest, and what is to be done with it."""
    same = [directory for directory in alike if _digest(directory) == spec.digest]
    newest = max(same, key=_age, default=None)
    return _known(newest, spec.evaluate) if newest else None


def _age(directory: RunDirectory) -> tuple[int, int, str]:
    """What sorts runs of one digest, the oldest first; clocks of file systems tick slowly."""
    name = directory.run_id
    return directory.spec_file.stat().st_mtime_ns, len(name), name


def _known(directory: RunDirectory, more: Sequence[EvaluationSettings] = ()) -> Submitted:
    """A run that is there, as a submission finds it that asks for more evaluations."""
    try:
        journal = directory.events_file.stat().st_size
    except FileNotFoundError:
        journal = 0
    return Submitted(directory, _action(directory, more), launched(directory), journal)


def _digest(directory: RunDirectory) -> str | None:
    """The digest of a stored spec; None if it can't be read."""
    spec = _spec(directory)
    return spec.digest if spec else None


def _spec(directory: RunDirectory) -> RunSpec | None:
    """A stored spec; None if it can't be read, as with an older format."""
    try:
        return directory.spec()
    except (OSError, ValueError):
        return None


def _action(
    directory: RunDirectory, more: Sequence[EvaluationSettings]
) -> Literal["resumed", "active", "finished"]:
    match status(directory):
        case Status.QUEUED | Status.RUNNING:
            return "active"
        case Status.FINISHED:
            spec = _spec(directory)
            lacks = spec is not None and outstanding.left(directory, spec, more)
            return "resumed" if lacks else "finished"
        case _:
            return "resumed"


def _enter(runs: Sequence[tuple[Submitted, LaunchSpec]], turn: Turn) -> None:
    """Put runs into the queue that are to be; what was asked of them before is over then."""
    queued = [(one.directory, launch) for one, launch in runs if one.queued]
    for directory, launch in queued:
        entries.write(directory.root, _entry(directory, launch, turn))
    for directory, _ in queued:
        directory.request_file.unlink(missing_ok=True)


def _entry(directory: RunDirectory, launch: LaunchSpec, turn: Turn) -> Entry:
    return Entry(
        run_id=directory.run_id,
        order=time.time_ns(),
        priority=turn.priority,
        visible=_visible(),
        user=entries.person(),
        host=entries.host(directory.root),
        after=tuple(run.run_id for run in turn.after),
        hold=turn.hold,
        attempt=launched(directory),
        launch=launch,
    )


def _visible() -> str | None:
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def _check_order(root: Path, runs: Iterable[RunDirectory], after: Iterable[RunDirectory]) -> None:
    """Refuse to have a run wait for itself, by however many others."""
    ahead, seen = [run.run_id for run in after], set[str]()
    while ahead:
        run = ahead.pop()
        if run not in seen:
            seen.add(run)
            entry = entries.find(RunDirectory(root / "runs" / run))
            ahead += entry.after if entry else ()
    if itself := next((run.run_id for run in runs if run.run_id in seen), None):
        raise UsageError(f"{itself} would wait for itself; name other runs with --after")
