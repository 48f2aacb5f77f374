"""The queue: who looks after it, and what processes that are gone left behind."""

from __future__ import annotations

import functools
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from lthtui import leftovers
from lthtui.doctor.findings import Case, Finding, Severity
from lthtui.launch import entries, queue, waits


def check(case: Case) -> Iterator[Finding]:
    """Look at the runs that wait, and at leftovers."""
    waiting = [entry for entry in entries.read(case.root) if entry.here and not entry.hold]
    if waiting and not waits.dispatched(case.root):
        message = f"{len(waiting)} run(s) wait, and no queue process looks after them"
        remedy = f"lthtui queue --root {shlex.quote(str(case.root))}"
        repair = functools.partial(_rouse, case.root)
        yield Finding("queue", Severity.WARNING, message, remedy, repair)
    elif waiting:
        yield Finding("queue", Severity.FINE, f"{len(waiting)} run(s) wait for their turn")
    for found, what in (
        (leftovers.queued(case.root), "entries that can't be read, or name no run"),
        (leftovers.temporary(case.root), "temporary files of processes that are gone"),
    ):
        if found:
            message = f"{len(found)} {what}, such as {found[0].relative_to(case.root)}"
            remedy = f"lthtui doctor --fix --root {shlex.quote(str(case.root))}"
            repair = functools.partial(_remove, case.root, found, what)
            yield Finding("queue", Severity.WARNING, message, remedy, repair)


def _rouse(root: Path) -> str:
    queue.rouse(root)
    return "called a queue process"


def _remove(root: Path, found: Sequence[Path], what: str) -> str:
    with entries.locked(root):
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return f"removed {len(found)} {what}"
