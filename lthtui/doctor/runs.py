"""Runs: lost, stalled or unreadable ones, and what MLflow lacks or has wrongly of them."""

from __future__ import annotations

import contextlib
import functools
import shlex
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine import schema, storefile
from engine.errors import LthError
from engine.rundir import RunDirectory, Status, stalled
from engine.storefile import STORE
from lthtui.doctor import damage, sources
from lthtui.doctor.findings import Case, Finding, Severity, behind, named, tracking

EPOCH = b'"kind":"epoch_ended"'
_RUNNING = """
SELECT r.run_uuid, t.value FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = ?
WHERE r.status = 'RUNNING' AND r.lifecycle_stage = 'active'
"""
_EPOCHS = """
SELECT t.value, count(*) FROM metrics m JOIN tags t ON t.run_uuid = m.run_uuid AND t.key = ?
WHERE m.key = 'epoch/train_loss' GROUP BY t.value
"""


def check(case: Case) -> Iterator[Finding]:
    """Look at every run, and at what MLflow says of it."""
    yield from _counted(case)
    yield from _folders(case)
    yield from damage.check(case)
    yield from sources.check(case)
    lost = [run for run, state in case.runs if state == Status.LOST]
    if lost:
        remedy = f"lthtui retry {_words(lost)}"
        message = f"lost, their workers are gone without a word: {named(lost)}"
        yield Finding("runs", Severity.WARNING, message, remedy)
    silent = [r for r, state in case.runs if state == Status.RUNNING and stalled(r, time.time())]
    if silent:
        message = f"running, but without a sign of life for a while: {named(silent)}"
        yield Finding("runs", Severity.WARNING, message, f"lthtui logs -f {_words(silent[:1])}")
    yield from _in_mlflow(case)


def _counted(case: Case) -> Iterator[Finding]:
    states = [state for _, state in case.runs]
    counts = ", ".join(f"{states.count(s)} {s}" for s in Status if s in states)
    message = f"{len(states)} run(s) in {case.root}: {counts}" if states else "no runs yet"
    yield Finding("runs", Severity.FINE, message)


def _folders(case: Case) -> Iterator[Finding]:
    """Folders that are no runs, and runs that this version cannot go on with."""
    known = {run.run_id for run, _ in case.runs}
    with contextlib.suppress(FileNotFoundError):
        others = [path for path in sorted((case.root / "runs").iterdir()) if path.name not in known]
        if others:
            message = f"{len(others)} folder(s) in runs/ without a spec, such as {others[0].name}"
            yield Finding(
                "runs", Severity.WARNING, message, f"ls -la {shlex.quote(str(others[0]))}"
            )
    for run, state in case.runs:
        if state == Status.FINISHED:
            continue
        try:
            run.spec()
        except (LthError, OSError) as error:
            yield Finding(
                "runs", Severity.WARNING, str(error), f"ls -la {shlex.quote(str(run.path))}"
            )


def _in_mlflow(case: Case) -> Iterator[Finding]:
    """What a sync would put right: runs that MLflow lacks, or takes for running."""
    try:
        running, epochs = _known(case.root)
    except sqlite3.Error as error:
        message = f"what MLflow has of the runs can't be read: {error}"
        yield Finding("runs", Severity.WARNING, message, "lthtui doctor")
        return
    states = {run.run_id: (run, state) for run, state in case.runs}
    gone = {run: uuid for run, uuid in running.items() if run not in states}
    for run, uuid in gone.items():
        message = f"MLflow takes {run} for running, whose folder is gone"
        yield Finding("runs", Severity.WARNING, message, f"mlflow runs delete --run-id {uuid}")
    ended = [run for run, state in case.runs if state != Status.RUNNING]
    wrong = [run for run in ended if run.run_id in running]
    lacking = [run for run in ended if run not in wrong and _lacks(run, epochs)]
    for runs, what in (
        (wrong, "MLflow takes them for running, and they are not"),
        (lacking, "MLflow does not have all of their journals"),
    ):
        if runs:
            repair = functools.partial(case.sync, runs)
            remedy = f"lthtui sync {_words(runs)}"
            yield Finding("runs", Severity.WARNING, f"{what}: {named(runs)}", remedy, repair)


def _known(root: Path) -> tuple[dict[str, str], dict[str, int]]:
    """By run: MLflow's id where it is running there; how many epochs MLflow has."""
    if not storefile.exists(root):
        return {}, {}
    with contextlib.closing(storefile.reader(root / STORE)) as store:
        running = {run: uuid for uuid, run in store.execute(_RUNNING, (schema.RUN_ID,))}
        return running, dict(store.execute(_EPOCHS, (schema.RUN_ID,)).fetchall())


def _lacks(run: RunDirectory, epochs: dict[str, int]) -> bool:
    """Whether the local store has less of a run at rest than its journal."""
    if tracking(run) != "local" or not run.events_file.exists():
        return False
    return behind(run) or epochs.get(run.run_id, 0) < _epochs(run)


def _epochs(run: RunDirectory) -> int:
    """Lines of a journal that end an epoch."""
    with run.events_file.open("rb") as journal:
        return sum(EPOCH in line and line.endswith(b"\n") for line in journal)


def _words(runs: Sequence[RunDirectory]) -> str:
    """Runs as a command takes them, if they are not too many."""
    return shlex.join(run.run_id for run in runs[:20])
