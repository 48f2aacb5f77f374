"""Makes a report: every section that has something to say, and what the others wait for."""

from __future__ import annotations

from importlib import import_module

from lthtui.reports import values
from lthtui.reports.model import Absent, Report, Section
from lthtui.reports.sections import ORDER
from lthtui.reports.subject import Subject


def make(subject: Subject, command: str, notes: tuple[str, ...] = ()) -> Report:
    """Build it.

    Args:
        command: makes it again.
        notes: what is not there.
    """
    built = [import_module(f"lthtui.reports.sections.{name}").build(subject) for name in ORDER]
    return Report(
        subject.title,
        command,
        subject.spread,
        tuple(one for one in built if isinstance(one, Section)),
        tuple(one for one in built if isinstance(one, Absent) and subject.here),
        (*notes, *subject.evaluations.lost, *subject.compared().notes),
        tuple(values.of(subject)),
    )
