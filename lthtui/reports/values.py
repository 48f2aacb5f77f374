"""All numbers of a report as one long table, for programs: a line for each that a run measured."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lthtui.evaluationtable import is_share
from lthtui.reports.model import UNITS
from lthtui.reports.subject import Subject
from lthtui.runview import LevelView, RunView

FILE = "values.csv"


class Value(NamedTuple):
    """One number of one level of one run.

    Attributes:
        method: its sparsifier, or the kind of control that it is.
        kept: share of prunable weights that the level keeps.
        picked: whether the run picked the level.
        evaluation: what measured it, with settings that are not at their defaults; else empty.
        value: accuracies and shares are fractions of 1, differences of them, too.
        unit: empty where an evaluation does not say.
    """

    run: str
    group: str
    label: str
    method: str
    dataset: str
    model: str
    draw: int
    fold: int | None
    seed: int
    level: int
    kept: float
    picked: bool
    evaluation: str
    metric: str
    value: float
    unit: str


def of(subject: Subject) -> Iterator[Value]:
    """All of them: those of controls that were not named, too."""
    runs = {(run.run_id, run.group): run for run in (*subject.runs, *subject.controls)}
    for run in runs.values():
        for level in run.ended_levels:
            for evaluation, metric, value, unit in _measured(subject, run, level):
                yield Value(
                    run.run_id,
                    run.group,
                    subject.labels.get(run.group, ""),
                    run.controls.kind if run.controls else run.sparsifier,
                    run.dataset,
                    run.model,
                    run.repetition.draw,
                    run.repetition.told["fold"],
                    run.seed,
                    level.index,
                    level.density,
                    level.index == run.winner and run.final,
                    evaluation,
                    metric,
                    value,
                    unit,
                )


def text(values: Iterable[Value]) -> str:
    """As CSV."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(Value._fields)
    writer.writerows(values)
    return file.getvalue()


def _measured(
    subject: Subject, run: RunView, level: LevelView
) -> Iterator[tuple[str, str, float, str]]:
    """Evaluation, metric, value and unit: of training, and of what was evaluated since."""
    trained = (
        ("val_accuracy", level.val, UNITS["accuracy"]),
        ("test_accuracy", level.test, UNITS["accuracy"]),
        ("val_balanced_accuracy", level.val_balanced, UNITS["accuracy"]),
        ("test_balanced_accuracy", level.test_balanced, UNITS["accuracy"]),
        ("seconds", level.seconds, UNITS["seconds"]),
        ("device_seconds", level.device_seconds, UNITS["seconds"]),
        ("joules", level.joules, UNITS["joules"]),
        ("training_flops", level.training_flops, UNITS["operations"]),
        ("inference_flops", level.inference_flops, UNITS["operations"]),
    )
    yield from (("", name, value, unit) for name, value, unit in trained if value is not None)
    for made in subject.evaluations.made(run):
        if made.level == level.index:
            for metric, value in made.metrics.items():
                share = UNITS["accuracy"] if is_share(made.label, metric) else ""
                yield made.label, metric, value, share
