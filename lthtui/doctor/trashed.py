"""The trash: runs of which MLflow was not told yet that they went there, or came back."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from engine.errors import LthError
from lthtui import trash
from lthtui.doctor.findings import Case, Finding, Severity, named


def check(case: Case) -> Iterator[Finding]:
    """Look at what a kill, or a store out of reach, left half done."""
    thrown, restored = trash.unfinished(case.root)
    repair = functools.partial(_finish, case)
    for runs, where in ((thrown, "are in the trash"), (restored, "came out of the trash")):
        if runs:
            message = f"MLflow was not told that these {where}: {named(runs)}"
            yield Finding("runs", Severity.WARNING, message, "lthtui doctor --fix", repair)


def _finish(case: Case) -> str:
    if why := trash.finish(case.root, case.ask):
        raise LthError("; ".join(why.values()))
    return "told MLflow what is in the trash and what no longer is"
