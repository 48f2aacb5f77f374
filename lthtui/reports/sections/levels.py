"""Levels: what every level came to, so that methods can be read at the same density."""

from __future__ import annotations

from collections.abc import Iterator

from lthtui.reports.model import Cell, Number, Section, Table
from lthtui.reports.subject import Subject
from lthtui.rows import Row
from lthtui.runview import BALANCED, PLAIN, LevelView, RunView

HEADER = ("method", "level", "kept %", "validation %", "test %", "over dense", "picked by")
_NAMES = {PLAIN: "accuracy", BALANCED: "balanced accuracy (the mean over classes)"}


def build(subject: Subject) -> Section | None:
    """A table by accuracy, and one by what else methods pick their levels by; None without any."""
    tables = [table for metric in _NAMES for table in _table(subject, metric)]
    return Section("Levels", tuple(tables)) if tables else None


def _table(subject: Subject, metric: str) -> Iterator[Table]:
    """Of the methods that are told by it and have several levels, if there are such."""
    rows = subject.told_by(metric)
    if lines := [line for row in rows for line in _lines(subject, row, metric)]:
        caption = (
            f"Every level, whichever is picked: {_NAMES[metric]} on validation and on test images,"
            " and on test images less that of dense networks, run by run. Levels that only"
            " searched are left out."
        )
        name = "levels" if metric == PLAIN else f"levels-{metric.replace('_', '-')}"
        yield Table(name, caption, HEADER, tuple(lines))


def _lines(subject: Subject, row: Row, metric: str) -> Iterator[tuple[Cell, ...]]:
    """Of a method with several levels, a line for each."""
    levels: dict[int, list[tuple[RunView, LevelView]]] = {}
    for run in row.runs:
        for level in run.ended_levels:
            if not level.search:
                levels.setdefault(level.index, []).append((run, level))
    dense, done = subject.dense(row, metric), sum(run.done for run in row.runs)
    for index, found in sorted(levels.items()) if len(levels) > 1 else ():
        scores = {run.repetition: level.scored("test", metric) for run, level in found}
        tests = {one: score for one, score in scores.items() if score is not None}
        picked = sum(run.done and run.winner == index for run, _ in found)
        yield (
            row.label,
            str(index),
            Number.of((level.density for _, level in found), "density"),
            Number.of((level.scored("val", metric) for _, level in found), "accuracy"),
            Number.of(tests.values(), "accuracy"),
            Number.of((tests[one] - dense[one] for one in tests if one in dense), "points"),
            f"{picked} of {done}",
        )
