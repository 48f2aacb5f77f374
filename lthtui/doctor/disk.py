"""File systems in use: room, kind, whose they are and who may write."""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine import filesystems
from engine.filesystems import FileSystem
from engine.launchspec import show_size
from engine.rundir import Status
from engine.storefile import STORE
from lthtui import identity
from lthtui.doctor.findings import Case, Finding, Severity
from lthtui.launch import owner, space

LITTLE = 5  # times the reserve: below that much room is little
WRITABLE = stat.S_IWGRP | stat.S_IWOTH


def check(case: Case) -> Iterator[Finding]:
    """Say how much room there is, and what is wrong with folders."""
    disk = filesystems.of(case.root)
    yield _room(disk, f"the root {case.root}", f"lthtui gc --dry-run --root {_quoted(case.root)}")
    for data in _data(case):
        if data.is_dir() and filesystems.of(data).device != disk.device:
            yield _room(filesystems.of(data), f"images in {data}", "")
    if case.root.is_dir():
        yield from _waiting(case)
        yield from _kind(case, disk)
        yield from _access(case)


def _room(disk: FileSystem, what: str, remedy: str) -> Finding:
    message = f"{what}: {show_size(disk.free)} free of {show_size(disk.size)} ({disk.name})"
    reserve = min(space.RESERVE, space.SHARE * disk.size)
    if not remedy or disk.free >= LITTLE * reserve:
        return Finding("disk", Severity.FINE, message)
    short = disk.free < reserve
    severity = Severity.ERROR if short else Severity.WARNING
    return Finding("disk", severity, f"{message}{'; no run can start' if short else ''}", remedy)


def _waiting(case: Case) -> Iterator[Finding]:
    """Whether the next run that waits has room."""
    waiting = (run for run, state in case.runs if state == Status.QUEUED)
    running = [run for run, state in case.runs if state == Status.RUNNING]
    for run in waiting:
        if why := space.shortage(case.root, run, running):
            message = f"{run.run_id} has to wait for room: {why}"
            remedy = f"lthtui gc --dry-run --root {_quoted(case.root)}"
            yield Finding("disk", Severity.WARNING, message, remedy)
            return


def _kind(case: Case, disk: FileSystem) -> Iterator[Finding]:
    """What a file system that other machines share cannot do."""
    if disk.local or not os.access(case.root, os.W_OK):
        return
    if filesystems.keeps_apart(case.root):
        message = (
            f"the root is on {disk.name}, which other machines may write to: the MLflow store works"
            " there without a write-ahead log, and slower"
        )
        yield Finding("disk", Severity.WARNING, message, "lthtui --root /a/local/folder")
    else:
        message = f"the root is on {disk.name} without file locks: two runs could damage the store"
        yield Finding("disk", Severity.ERROR, message, "lthtui --root /a/local/folder")


def _access(case: Case) -> Iterator[Finding]:
    """Who owns the root and what is in it, and who else may change it."""
    mine, theirs = os.geteuid(), owner.of(case.root)
    if theirs not in (None, mine) and mine != owner.SUPERUSER:
        message = f"the root belongs to {_user(theirs or 0)}: it can be looked at, not changed"
        yield Finding("disk", Severity.WARNING, message, "lthtui --root ~/mlruns")
        return
    if not os.access(case.root, os.W_OK):
        message = f"the root {case.root} can't be written to"
        yield Finding("disk", Severity.ERROR, message, f"findmnt -T {_quoted(case.root)}")
        return
    kept = [*_kept(case.root)]
    foreign = [path for path in kept if path.lstat().st_uid != theirs]
    if foreign:
        message = f"{len(foreign)} of the root's files belong to others, such as {foreign[0]}"
        remedy = f"sudo chown -R {_user(theirs or 0)} {_quoted(case.root)}"
        yield Finding("disk", Severity.WARNING, message, remedy)
    shared = [path for path in kept if _for_others(path)]
    if shared:
        message = f"others may change what is in the root: {', '.join(map(str, shared[:3]))}"
        remedy = f"chmod go-w {' '.join(map(_quoted, shared[:20]))}"
        yield Finding("disk", Severity.WARNING, message, remedy, lambda: _close(shared))


def _kept(root: Path) -> Iterator[Path]:
    """The root, what is in it, and its runs; links lead elsewhere."""
    yield root
    for folder in (root, root / "runs", root / "queue"):
        if folder.is_dir():
            yield from (path for path in sorted(folder.iterdir()) if not path.is_symlink())


def _for_others(path: Path) -> bool:
    important = path.is_dir() or path.name == STORE
    return important and bool(path.lstat().st_mode & WRITABLE)


def _close(shared: Iterable[Path]) -> str:
    closed = []
    for path in shared:
        path.chmod(stat.S_IMODE(path.lstat().st_mode) & ~WRITABLE)
        closed.append(path)
    return f"closed {len(closed)} folder(s) and files to others"


def _data(case: Case) -> list[Path]:
    """Where the images of runs are, each place once."""
    found: dict[Path, None] = {}
    for run, _ in case.runs:
        try:
            data = identity.read(run).asked.get("data")
        except (OSError, ValueError):
            continue
        if isinstance(data, dict) and data.get("root"):
            found[Path(data["root"])] = None
    return [*found]


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
