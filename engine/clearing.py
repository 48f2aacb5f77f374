"""What a run's folder, and MLflow with it, could do without: weights not kept, old checkpoints.

A run that waits or runs is left alone, and whatever another may go on from. Each removal leaves the
folder readable, so that one that is broken off can be carried on with, or not.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import checkpoints, growth, partials, retention, schema, storefile
from engine.errors import Damaged, LthError, StoreError
from engine.events import LevelEnded, RunStarted, Tail
from engine.filesystems import locked, remove
from engine.filing import local_folder
from engine.mirror import only_mirror
from engine.plan import Plan, plan
from engine.rundir import RunDirectory, Status, status
from engine.sources import TICKET
from engine.spec import RunSpec
from engine.storefile import ARTIFACTS, STORE

Words = Sequence[str]


@dataclass(frozen=True)
class Excess:
    """What could go of one run.

    Attributes:
        weights: by level, the files with its weights: in the run's folder and in MLflow's.
        checkpoints: folders of checkpoints within a level.
    """

    weights: dict[int, tuple[Path, ...]]
    checkpoints: tuple[Path, ...]


def survey(directory: RunDirectory, keep: Words | None, protected: Collection[Path]) -> Excess:
    """What could go of a run, by `keep` or else by what its spec keeps.

    Args:
        protected: tickets that other runs have yet to read.

    Raises:
        LthError: nothing can go, and why.
    """
    state = status(directory)
    if state in (Status.RUNNING, Status.QUEUED):
        raise LthError(f"{directory.run_id} is {state}")
    spec, over = directory.spec(), state == Status.FINISHED
    history, laid_out = _history(directory), _plan(directory, spec)
    words = spec.keep if keep is None else keep
    stay = retention.kept(words, spec.select, history, over) | _onward(laid_out, len(history))
    stay |= {i for i in range(len(history)) if directory.level(i) / TICKET in protected}
    filed = _filed(directory)
    weights = {
        level: files
        for level in sorted(set(range(len(history))) - stay)
        if (files := tuple(_weights(directory, level, filed)))
    }
    return Excess(weights, tuple(_checkpoints(directory, spec, laid_out)) if over else ())


def clear(directory: RunDirectory, keep: Words | None, protected: Collection[Path]) -> Excess:
    """Remove what `survey` finds, and return it.

    Raises:
        LthError: nothing can go, and why; also where a worker or a sync has just begun.
        OSError: something could not be removed; the rest has gone, or stays for the next time.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(directory.lock_file, wait=False))
        except BlockingIOError:
            raise LthError(f"{directory.run_id} is running") from None
        held.enter_context(only_mirror(directory))
        found = survey(directory, keep, protected)
        for level, files in found.weights.items():
            checkpoints.drop(directory.level(level), TICKET)
            for file in files:
                file.unlink(missing_ok=True)
        for folder in found.checkpoints:
            remove(folder)
    return found


def _history(directory: RunDirectory) -> list[LevelEnded]:
    """What the finished levels ended with, up to one whose record cannot be read."""
    done: list[LevelEnded] = []
    while directory.level(len(done)).is_dir():
        try:
            meta, _ = checkpoints.manifest(directory.level(len(done)))
            done.append(LevelEnded.model_validate(meta["ended"]))
        except (Damaged, ValueError, LookupError):
            break
    return done


def _plan(directory: RunDirectory, spec: RunSpec) -> Plan | None:
    """What the run was to train; None where that can't be known any more."""
    begun = (one for one in Tail(directory.events_file).read() if isinstance(one, RunStarted))
    try:
        return plan(spec, next(begun).images["train"])
    except (StopIteration, LookupError, LthError):
        return None


def _onward(laid_out: Plan | None, count: int) -> set[int]:
    """The newest level, if another that was added would go on from its weights."""
    later = laid_out.levels[1:] if laid_out else ()
    if laid_out is not None and all(planned.level.start is not None for planned in later):
        return set()
    return {count - 1} if count else set()


def _weights(directory: RunDirectory, level: int, filed: dict[int, set[Path]]) -> Iterator[Path]:
    """Files that hold a level's weights and are there."""
    for file in (directory.level(level) / TICKET, *sorted(filed.get(level, ()))):
        if file.is_file():
            yield file


def _checkpoints(directory: RunDirectory, spec: RunSpec, laid_out: Plan | None) -> Iterator[Path]:
    """Checkpoints of a finished run, without the one from which more epochs could be trained."""
    more = laid_out is None or not growth.fixed(spec, laid_out)
    last = partials.last(directory) if more else None
    yield from (folder for folder in directory.partial.glob("[0-9]*") if folder != last)


def _filed(directory: RunDirectory) -> dict[int, set[Path]]:
    """Where MLflow keeps tickets of a run under this root, by level; empty without its store."""
    found: dict[int, set[Path]] = {}
    try:
        with contextlib.closing(storefile.reader(directory.root / STORE)) as store:
            rows = [*store.execute(_RUNS, (schema.RUN_ID, directory.run_id))]
            records = [*store.execute(_RECORDS, (schema.RUN_ID, directory.run_id))]
    except sqlite3.Error:
        return found
    artifacts = (directory.root / ARTIFACTS).resolve()
    for level in range(len(records)):
        for (place,) in rows:
            _add(found, level, artifacts, place, f"tickets/level-{level:02d}")
    for place, level in records:
        if str(level).isdecimal():
            _add(found, int(level), artifacts, place, "")
    return found


def _add(found: dict[int, set[Path]], level: int, artifacts: Path, place: str, within: str) -> None:
    folder = local_folder(place)
    if folder is not None and (folder / within).resolve().is_relative_to(artifacts):
        found.setdefault(level, set()).add(folder / within / TICKET)


_RUNS = """
SELECT r.artifact_uri FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid
WHERE t.key = ? AND t.value = ?
"""
_RECORDS = """
SELECT m.artifact_location, p.param_value FROM logged_models m
JOIN tags t ON t.run_uuid = m.source_run_id
JOIN logged_model_params p ON p.model_id = m.model_id AND p.param_key = 'level'
WHERE t.key = ? AND t.value = ?
"""


def report(asked: dict[str, Any]) -> dict[str, Any]:
    """Survey or clear runs one after another, as JSON asks for it and as JSON says.

    `asked`: `runs` (folders), `keep` (words or null), `protected` (files), `remove` (bool). Gives
    `runs` with what could go or has gone, and `skipped` with why.
    """
    act = clear if asked["remove"] else survey
    protected = {Path(file) for file in asked["protected"]}
    runs, skipped = [], {}
    for path in asked["runs"]:
        directory = RunDirectory(path)
        try:
            found = act(directory, asked["keep"], protected)
        except (LthError, StoreError, OSError, ValueError) as error:
            skipped[directory.run_id] = str(error)
            continue
        levels = {str(level): [*map(str, files)] for level, files in found.weights.items()}
        folders = [*map(str, found.checkpoints)]
        if levels or folders:
            runs.append({"run_id": directory.run_id, "weights": levels, "checkpoints": folders})
    return {"runs": runs, "skipped": skipped}
