"""Tickets that runs still have to read, whose files moved with the root."""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from engine.rundir import RunDirectory, Status
from engine.sources import Source, found_in, replaced
from engine.spec import RunSpec
from lthtui import specfiles
from lthtui.doctor.findings import Case, Finding, Severity, named
from lthtui.launch import entries


def check(case: Case) -> Iterator[Finding]:
    """Look at the sources of every run that has not finished."""
    moved, gone = [], {}
    for run, state in case.runs:
        if state in (Status.FINISHED, Status.RUNNING):
            continue
        try:
            spec = run.spec()
        except (OSError, ValueError):  # which is a finding of its own
            continue
        missing = [one for _, one in found_in(spec) if one.path and not Path(one.path).exists()]
        if any(_here(case.root, one) for one in missing):
            moved.append(run)
        elif missing:
            gone[run] = missing[0]
    if moved:
        message = f"their tickets moved with the root: {named(moved)}"
        remedy = f"lthtui doctor --fix --root {shlex.quote(str(case.root))}"
        repair = functools.partial(_point, case.root, moved)
        yield Finding("runs", Severity.ERROR, message, remedy, repair)
    for run, source in gone.items():
        message = f"{run.run_id} begins with {source}, whose file {source.path} is gone"
        yield Finding("runs", Severity.ERROR, message, f"lthtui show {run.run_id}")


def _here(root: Path, source: Source) -> Path | None:
    """Where a ticket of a run under this root lies now."""
    parts = Path(source.path).parts
    if "runs" not in parts:
        return None
    after = len(parts) - parts[::-1].index("runs")
    file = root / "runs" / Path(*parts[after:])
    return file if file.is_file() else None


def _point(root: Path, runs: Sequence[RunDirectory]) -> str:
    """Have runs read their tickets where they are now; what they are stays the same."""

    def found(at: str, source: Source) -> Source:
        here = None if Path(source.path).exists() else _here(root, source)
        return replace(source, path=str(here)) if here else source

    with entries.locked(root):
        for run in runs:
            write(run, replaced(run.spec(), found))
    return f"{len(runs)} run(s) read their tickets in {root} now"


def write(run: RunDirectory, spec: RunSpec) -> None:
    """Replace a run's spec; its file keeps its time, which says when the run was made."""
    made = run.spec_file.stat()
    aside = run.path / f".spec.yaml.{os.getpid()}.tmp"
    try:
        with aside.open("w") as file:
            file.write(specfiles.write(spec))
            file.flush()
            os.fsync(file.fileno())
        aside.chmod(0o600)
        os.utime(aside, ns=(made.st_atime_ns, made.st_mtime_ns))
        aside.replace(run.spec_file)
    finally:
        aside.unlink(missing_ok=True)
