"""Runs in the trash: their folders are in `trash/` and their runs in MLflow are deleted.

A run is in the trash as soon as its folder is, and out of it as soon as that is back: both are one
rename. MLflow comes after, and `trashed.json` in the folder says whether it has the run deleted: so
whatever was interrupted in between is seen, and finished by `finish`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from engine import link, storefile
from engine.errors import UsageError
from engine.filesystems import locked
from engine.rundir import RunDirectory, Status, status
from engine.sources import found_in
from engine.storefile import ARTIFACTS, STORE
from lthtui import gc, runnames
from lthtui.launch import entries, later, owner, retrying
from lthtui.text import clean_line

FOLDER, MARK = runnames.TRASH, "trashed.json"
PATIENCE = 20.0  # seconds to wait for whoever brings a run over to MLflow
Ask = Callable[[Sequence[str]], dict[str, Any]]
_PLACES = """
SELECT run_uuid, artifact_uri FROM runs WHERE run_uuid = ?
UNION ALL SELECT model_id, artifact_location FROM logged_models WHERE source_run_id = ?
"""


@dataclass(frozen=True)
class Trashed:
    """A run in the trash.

    Attributes:
        since: when it was put there, in seconds since 1970.
        bytes: what its removal frees on the disk.
    """

    directory: RunDirectory
    since: float
    bytes: int


def listed(root: Path) -> list[Trashed]:
    """The runs in the trash, the oldest first; without those that are taken out meanwhile."""
    found = []
    for run in runnames.every(root, FOLDER):
        with contextlib.suppress(FileNotFoundError):
            since = run.path.stat().st_ctime
            found.append(Trashed(run, since, gc.freed([run.path, *_artifacts(run)])))
    return found


def needed(root: Path) -> dict[str, str]:
    """By run, a run or command that has yet to finish and needs it."""
    found: dict[str, str] = {}
    for run in runnames.every(root):
        if status(run) != Status.FINISHED:
            found.update((other, run.run_id) for other in _sources(run))
    for entry in entries.read(root):
        found.update((other, entry.run_id) for other in entry.after)
    for command in later.read(root):
        found.update((other, command.name) for other in command.after)
    return found


def throw(root: Path, runs: Sequence[RunDirectory], ask: Ask) -> dict[str, str]:
    """Put runs into the trash, all or none of them; by run id, why MLflow has to be told later.

    Raises:
        UsageError: a run waits or runs, or others need it, or the root is somebody else's.
        OSError: a folder can't be moved.
    """
    owner.check(root)
    with entries.locked(root):
        _check(root, runs)
        moved = [*_move(runs, root / FOLDER)]
    return _tell(moved, "trash", ask)


def restore(root: Path, runs: Sequence[RunDirectory], ask: Ask) -> dict[str, str]:
    """Take runs out of the trash; by run id, why MLflow has to be told later.

    Raises:
        UsageError: there is a run of that id again, or the root is somebody else's.
        OSError: a folder can't be moved.
    """
    owner.check(root)
    with entries.locked(root):
        moved = [*_move(runs, root / runnames.RUNS)]
    return _tell(moved, "restore", ask)


def unfinished(root: Path) -> tuple[list[RunDirectory], list[RunDirectory]]:
    """Runs of which MLflow was not told that they are in the trash, and that they no longer are."""
    thrown = [run for run in runnames.every(root, FOLDER) if not (run.path / MARK).exists()]
    restored = [run for run in runnames.every(root) if (run.path / MARK).exists()]
    return thrown, restored


def finish(root: Path, ask: Ask) -> dict[str, str]:
    """Tell MLflow what it was not told; by run id, why that has to wait again."""
    thrown, restored = unfinished(root)
    return {**_tell(thrown, "trash", ask), **_tell(restored, "restore", ask)}


def empty(root: Path, runs: Sequence[RunDirectory], ask: Ask) -> tuple[int, dict[str, str]]:
    """Remove runs in the trash for good; how many bytes that freed, and why not of others, by id.

    Raises:
        UsageError: the root is somebody else's.
        OSError: a file can't be removed.
    """
    owner.check(root)
    why = _tell([run for run in runs if not (run.path / MARK).exists()], "trash", ask)
    known = [run for run in runs if run.run_id not in why]
    why |= _tell(known, "forget", ask)
    freed = 0
    for run in known:
        if run.run_id not in why:
            artifacts = _artifacts(run)
            freed += gc.freed([*artifacts, run.path])
            for folder in artifacts:
                _remove(folder, folder.parent)
            _remove(run.path, root)  # last: until then it is listed, and can be emptied again
    return freed, why


def _check(root: Path, runs: Sequence[RunDirectory]) -> None:
    """Refuse runs that are at work or that others need.

    Raises:
        UsageError: there is one.
    """
    going = {run.run_id for run in runs}
    users = needed(root)
    for run in runs:
        name = clean_line(run.run_id)
        if retrying.goes_on(run):
            raise UsageError(f"{name} waits or runs; `lthtui cancel {name}` ends that")
        user = users.get(run.run_id)
        if user is not None and user not in going:
            raise UsageError(f"{clean_line(user)}, which has not finished, needs {name}")


def _move(runs: Iterable[RunDirectory], folder: Path) -> Iterator[RunDirectory]:
    """Move runs' folders, while nobody brings them over to MLflow."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with contextlib.ExitStack() as held:
        moves = {}
        for run in runs:
            moves[run.path] = target = folder / run.run_id
            if target.exists():
                raise UsageError(
                    f"there is a {clean_line(run.run_id)} in {folder} already;"
                    " `lthtui trash --empty` or another `lthtui trash` makes room"
                )
            held.enter_context(_at_rest(run))
        for source, target in moves.items():
            source.rename(target)
            yield RunDirectory(target)


def _at_rest(run: RunDirectory) -> contextlib.ExitStack:
    """Have nobody bring a run over to MLflow; who does so just now is waited for a while."""
    end = time.monotonic() + PATIENCE
    while True:
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(run.path / "mlflow.lock", wait=False))
                return held.pop_all()
            except BlockingIOError:
                if time.monotonic() > end:
                    raise UsageError(
                        f"{clean_line(run.run_id)} is being brought over to MLflow just now;"
                        " try again"
                    ) from None
        time.sleep(0.1)


def _tell(runs: Sequence[RunDirectory], verb: str, ask: Ask) -> dict[str, str]:
    """Have the worker program carry out a verb on runs; by run id, why it could not."""
    if not runs:
        return {}
    report = ask([verb, *(str(run.path) for run in runs)])
    why = {str(run): clean_line(str(said), 1000) for run, said in report["failed"].items()}
    missing = [run for run in runs if report["runs"].get(run.run_id, {}).get("missing")]
    return why | (_tell(missing, "sync", ask) if missing else {})


def _sources(run: RunDirectory) -> Iterator[str]:
    """Runs that a run may still read."""
    try:
        spec = run.spec()
    except (OSError, ValueError):  # nor could any worker of this version read it
        return
    if spec.extends:
        yield spec.extends
    for _, source in found_in(spec):
        runs = run.path.parent
        if source.path and Path(source.path).is_relative_to(runs):
            yield Path(source.path).relative_to(runs).parts[0]
        if source.run:
            yield source.run


def _artifacts(run: RunDirectory) -> list[Path]:
    """The folders under this root in which MLflow keeps files of a run and its levels."""
    linked, artifacts = link.read(run), (run.root / ARTIFACTS).resolve()
    if linked is None or not linked.tracking_uri.startswith("sqlite:"):
        return []
    try:
        with contextlib.closing(storefile.reader(run.root / STORE)) as store:
            rows = store.execute(_PLACES, (linked.mlflow_run_id,) * 2).fetchall()
    except sqlite3.Error:
        return []
    places = [(name, Path(unquote(urlparse(uri).path)).parent) for name, uri in rows]
    return [
        folder
        for name, folder in places
        if folder.name == name and folder.is_dir() and folder.resolve().is_relative_to(artifacts)
    ]


def _remove(path: Path, folder: Path) -> None:
    """Remove a folder by way of another; what a kill leaves of it there is known as left behind."""
    aside = folder / f".{path.name}.{os.getpid()}.tmp"
    path.rename(aside)
    shutil.rmtree(aside)
