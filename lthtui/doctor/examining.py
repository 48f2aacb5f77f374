"""Looks at all that may be wrong on this machine and under a root, and does what is safe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.errors import LthError
from lthtui.doctor import disk, machine, program, queued, runs, servers, store, trashed
from lthtui.doctor.findings import Case, Check, Finding, Severity


def examine(case: Case) -> list[Finding]:
    """Look at everything; a check that fails is a finding of its own."""
    checks: tuple[Check, ...] = (
        machine.check,
        disk.check,
        store.check,
        servers.check,
        runs.check,
        trashed.check,
        queued.check,
        program.check,
    )
    return [finding for check in checks for finding in _carried_out(check, case)]


def treat(findings: Sequence[Finding]) -> list[tuple[Finding, str, bool]]:
    """Carry out the repairs: what was done, or why it could not be, and whether it was."""
    return [(found, *_repaired(found)) for found in findings if found.repair]


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
