"""What is wrong on this machine and under a root, what to do about it, and doing what is safe."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine.errors import LthError
from engine.rundir import RunDirectory, Status, status
from lthtui import identity, runnames


class Severity(StrEnum):
    """How bad a finding is: an error loses work or keeps it from starting."""

    FINE = "fine"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: `devices`, `clock`, `disk`, `store`, `runs`, `queue` or `program`.
        remedy: the command that helps; empty where nothing is wrong.
        repair: does what is safe, and says what it did; None where a person has to.
    """

    topic: str
    severity: Severity
    message: str
    remedy: str = ""
    repair: Callable[[], str] | None = None


@dataclass
class Case:
    """A root to look at; `ask` has the worker program carry out a verb."""

    root: Path
    ask: Callable[[Sequence[str]], dict[str, Any]]

    @functools.cached_property
    def runs(self) -> list[tuple[RunDirectory, Status]]:
        """All runs, the oldest first."""
        return [(run, status(run)) for run in runnames.every(self.root)]

    def sync(self, runs: Sequence[RunDirectory]) -> str:
        """Bring runs over into MLflow; says so.

        Raises:
            LthError: that failed for some.
        """
        report = self.ask(["sync", *(str(run.path) for run in runs)])
        if report["failed"]:
            raise LthError("; ".join(report["failed"].values()))
        return f"brought {len(runs)} run(s) over into MLflow"


Check = Callable[[Case], Iterator[Finding]]


def examine(case: Case) -> list[Finding]:
    """Look at everything; a check that fails is a finding of its own."""
    from lthtui.doctor import disk, machine, program, queued, runs, store

    checks: tuple[Check, ...] = (
        machine.check,
        disk.check,
        store.check,
        runs.check,
        queued.check,
        program.check,
    )
    return [finding for check in checks for finding in _carried_out(check, case)]


def treat(findings: Sequence[Finding]) -> list[tuple[Finding, str, bool]]:
    """Carry out the repairs: what was done, or why it could not be, and whether it was."""
    return [(found, *_repaired(found)) for found in findings if found.repair]


def named(runs: Sequence[RunDirectory], most: int = 3) -> str:
    """The first few ids, and how many more there are."""
    more = f" and {len(runs) - most} more" if len(runs) > most else ""
    return ", ".join(run.run_id for run in runs[:most]) + more


def tracking(run: RunDirectory) -> str:
    """Where a run is logged, as its spec says; `off` where that can't be read."""
    try:
        return str(identity.read(run).asked.get("tracking", "local"))
    except (OSError, ValueError):
        return "off"


def _carried_out(check: Check, case: Case) -> Iterator[Finding]:
    topic = check.__module__.rpartition(".")[2]
    try:
        yield from check(case)
    except Exception as error:  # whatever is wrong with one thing, the others are looked at
        why = f"could not be looked at: {type(error).__name__}: {error}"
        yield Finding(topic, Severity.ERROR, why, "LTHTUI_DEBUG=1 lthtui doctor")


def _repaired(found: Finding) -> tuple[str, bool]:
    assert found.repair is not None
    try:
        return found.repair(), True
    except (LthError, OSError) as error:
        return str(error), False
