"""Levels: what every level came to, so that methods can be read at the same density."""

from __future__ import annotations

from collections.abc import Iterator

from lthtui.reports.model import Cell, Number, Section, Table
from lthtui.reports.subject import Subject
from lthtui.rows import Row
from lthtui.runview import LevelView, RunView

HEADER = ("method", "level", "kept %", "validation %", "test %", "over dense", "picked by")


def build(subject: Subject) -> Section | None:
    """A table; None where no method has several levels."""
    lines = [line for row in subject.methods for line in _lines(subject, row)]
    if not lines:
        return None
    caption = (
        "Every level, whichever is picked: accuracy on validation and on test images, and on test"
        " images less that of dense networks, run by run. Levels that only searched are left out."
    )
    return Section("Levels", (Table("levels", caption, HEADER, tuple(lines)),))


def _lines(subject: Subject, row: Row) -> Iterator[tuple[Cell, ...]]:
    """Of a method with several levels, a line for each."""
    levels: dict[int, list[tuple[RunView, LevelView]]] = {}
    for run in row.runs:
        for level in run.ended_levels:
            if not level.search:
                levels.setdefault(level.index, []).append((run, level))
    dense = subject.dense(row)
    for index, found in sorted(levels.items()) if len(levels) > 1 else ():
        tests = {run.repetition: level.test for run, level in found if level.test is not None}
        picked = sum(run.done and run.winner == index for run, _ in found)
        yield (
            row.label,
            str(index),
            Number.of((level.density for _, level in found), "density"),
            Number.of((level.val for _, level in found), "accuracy"),
            Number.of(tests.values(), "accuracy"),
            Number.of((tests[one] - dense[one] for one in tests if one in dense), "points"),
            f"{picked} of {len(row.runs)}",
        )
