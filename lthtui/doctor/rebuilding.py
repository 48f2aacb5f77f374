"""A damaged MLflow store moved aside, and made anew from the run folders."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from engine import noted, schema, storefile
from engine.errors import LthError
from engine.filesystems import locked
from engine.rundir import RunDirectory, Status
from engine.storefile import BESIDE, LOCK, STORE
from lthtui.doctor.findings import Case, tracking

_TAGS = """
SELECT run.value, tag.key, tag.value FROM tags run JOIN tags tag USING (run_uuid)
WHERE run.key = ?
"""


def rebuild(case: Case) -> str:
    """Move a store aside and bring every run over into a new one; says what it did.

    What only the store had, notes and tags, is taken from the damaged file as far as it can be
    read, but for what was changed later through lthtui; that file stays.

    Raises:
        LthError: the new store could not be made, or a run not brought over.
        OSError: the old one could not be moved.
    """
    aside = _move_aside(case.root)
    case.ask(["ensure-store", str(case.root)])
    begun = [
        run for run, state in case.runs if state != Status.RUNNING and run.events_file.exists()
    ]
    runs = [run for run in begun if tracking(run) == "local"]
    done = case.sync(runs) if runs else "there was no run to bring over"
    kept, why = _take_over(case.root, aside)
    found = f"{kept} notes and tags were taken over" + (f", then {why}" if why else "")
    return f"moved the damaged store to {aside.name} and {done}; {found}"


def _move_aside(root: Path) -> Path:
    name = f"{STORE}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    with locked(root / LOCK):
        for suffix in ("", *BESIDE):  # a log without its store would be replayed into the new one
            with contextlib.suppress(FileNotFoundError):
                (root / f"{STORE}{suffix}").rename(root / f"{name}{suffix}")
    return root / name


def _take_over(root: Path, aside: Path) -> tuple[int, str]:
    """Set users' notes and tags of runs again; how many, and what ended it early."""
    from lthtui.store import Store

    store, kept = Store(root), 0
    try:
        new = {run.run_id: run for run in store.runs() if run.run_id}
        untold = _untold(root, aside, new)
        for run_id, key, value in _tags(aside):
            theirs = not key.startswith("lthtui.") or key == schema.ARCHIVED
            if run_id not in new or not theirs or key in untold[run_id]:
                continue
            if new[run_id].tags.get(key) != value:
                store.set_tags(new[run_id].mlflow_run_id, {key: value})
                kept += 1
    except (sqlite3.Error, LthError) as error:
        return kept, str(error)
    finally:
        store.close()
    return kept, ""


def _untold(root: Path, aside: Path, runs: Iterable[str]) -> dict[str, Collection[str]]:
    """By run, the tags that were changed through lthtui and the damaged store was not told of."""
    told: dict[str, str] = {}
    with contextlib.suppress(sqlite3.Error):
        for run_id, key, value in _tags(aside):
            if key == schema.NOTED:
                told[run_id] = value
    folders = {run: RunDirectory(root / "runs" / run) for run in runs}
    return {
        run: noted.read(folder).news({schema.NOTED: told.get(run, "")})
        for run, folder in folders.items()
    }


def _tags(aside: Path) -> Iterator[tuple[str, str, str]]:
    """Tags of runs of ours in a damaged store, as far as it can be read."""
    with contextlib.closing(storefile.reader(aside)) as store:
        for run, key, value in store.execute(_TAGS, (schema.RUN_ID,)):
            yield str(run), str(key), str(value)
