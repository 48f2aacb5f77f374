"""What a check of the doctor is given, and what it finds."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine import link
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
        topic: `devices`, `clock`, `disk`, `store`, `servers`, `runs`, `queue` or `program`.
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


def behind(run: RunDirectory) -> bool:
    """Whether MLflow has been told less of a run at rest than its journal has."""
    if not run.events_file.exists():
        return False
    noted = link.read(run)
    return noted is None or not link.complete(run, noted)
