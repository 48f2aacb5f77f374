"""The queue: who looks after it, and what processes that are gone left behind."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from engine.rundir import RunDirectory
from lthtui import leftovers
from lthtui.doctor.findings import Case, Finding, Severity
from lthtui.launch import copied, entries, queue, waits
from lthtui.launch.entries import Entry
from lthtui.launch.turns import Obstacle
from lthtui.text import clean_line


def check(case: Case) -> Iterator[Finding]:
    """Look at the runs that wait, and at leftovers."""
    waiting = [entry for entry in entries.read(case.root) if entry.here]
    stuck = waits.stuck(case.root, [_directory(case.root, entry) for entry in waiting])
    due = len(waiting) - len(stuck)
    source = copied.origin(case.root)
    if due and source:
        message = f"{due} run(s) wait that were queued in {clean_line(source)}"
        remedy = f"lthtui release --all --root {shlex.quote(str(case.root))}"
        yield Finding("queue", Severity.WARNING, message, remedy)
    elif due and not waits.dispatched(case.root):
        message = f"{due} run(s) wait, and no queue process looks after them"
        remedy = f"lthtui queue --root {shlex.quote(str(case.root))}"
        repair = functools.partial(_rouse, case.root)
        yield Finding("queue", Severity.WARNING, message, remedy, repair)
    elif due:
        yield Finding("queue", Severity.FINE, f"{due} run(s) wait for their turn")
    yield from _stuck(case.root, stuck)
    for found, what in (
        (leftovers.queued(case.root), "entries that can't be read, or name no run"),
        (leftovers.temporary(case.root), "temporary files of processes that are gone"),
    ):
        if found:
            message = f"{len(found)} {what}, such as {found[0].relative_to(case.root)}"
            remedy = f"lthtui doctor --fix --root {shlex.quote(str(case.root))}"
            repair = functools.partial(_remove, case.root, found, what)
            yield Finding("queue", Severity.WARNING, message, remedy, repair)


def _stuck(root: Path, stuck: Mapping[str, Obstacle]) -> Iterator[Finding]:
    """Runs that no queue process can start: held ones, and those behind held or failed ones."""
    for failed in (True, False):
        runs = [f"{run}: {why.reason}" for run, why in stuck.items() if why.failed == failed]
        if runs:
            message = f"{len(runs)} run(s) wait for somebody to act, such as {runs[0]}"
            severity = Severity.WARNING if failed else Severity.FINE
            remedy = f"lthtui queue --root {shlex.quote(str(root))}" if failed else ""
            yield Finding("queue", severity, message, remedy)


def _directory(root: Path, entry: Entry) -> RunDirectory:
    return RunDirectory(root / "runs" / entry.run_id)


def _rouse(root: Path) -> str:
    queue.rouse(root)
    return "called a queue process"


def _remove(root: Path, found: Sequence[Path], what: str) -> str:
    return f"removed {len(leftovers.remove(root, found))} {what}"
