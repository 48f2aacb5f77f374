"""The charts of runs: accuracy against density, and training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import Literal

from lthtui.charts import Chart, Curve, Series, accuracy_chart
from lthtui.colours import colours
from lthtui.runview import LevelView, RunView, scored
from lthtui.verdict import standing, wins

Quantity = Literal["accuracy", "loss"]


def density_curve(
    runs: Sequence[RunView], label: str, colour: str, dense: Mapping[int, LevelView]
) -> Chart:
    """Accuracy on the selecting images against weights kept, over the seeds of one group.

    Args:
        dense: by seed, the levels that stand for dense; see `baseline.dense`.
    """
    split = runs[0].split if runs else "val"
    curve = Curve(
        label,
        [points(run) for run in runs],
        [point for run in runs if wins(run) for point in _picked(run)],
        [point for run in runs if not wins(run) for point in _picked(run)],
        colour,
    )
    name = "test accuracy" if split == "test" else "validation accuracy"
    chart = accuracy_chart([curve], y_label=name, dense=dense_score(runs, dense))
    return replace(chart, marks_label=standing(runs))


def points(run: RunView) -> list[tuple[float, float]]:
    """Density and accuracy of each level; searches trained no ticket, and are left out."""
    ended = [level for level in run.ended_levels if not level.search]
    scores = [(level.density, scored(level, run.split)) for level in ended]
    return [(density, score) for density, score in scores if score is not None]


def dense_score(runs: Sequence[RunView], dense: Mapping[int, LevelView]) -> float | None:
    """Mean accuracy of dense over the seeds of the runs, or over all where they share none.

    Args:
        dense: by seed, the levels that stand for dense; see `baseline.dense`.
    """
    shared = {run.seed for run in runs} & dense.keys() or dense.keys()
    scores = [scored(dense[seed], run.split) for run in runs[:1] for seed in shared]
    known = [score for score in scores if score is not None]
    return mean(known) if known else None


def training_curve(runs: Sequence[RunView], colour: str, quantity: Quantity) -> Chart:
    """Each epoch of a level: the current level bright over the earlier ones, or one per seed."""
    if any(run.stored for run in runs):
        given = colours(run.run_id for run in runs)
        series = [_whole(run, given[run.run_id], quantity) for run in runs]
        what = "all levels"
    elif len(runs) == 1:
        series = [_training(runs[0], level, colour, quantity) for level in runs[0].levels]
        what = f"level {runs[0].current.index}" if runs[0].current else ""
    else:
        given = colours(run.run_id for run in runs)
        series = [_newest(run, given[run.run_id], quantity) for run in runs]
        what = f"newest level of {len(runs)} seeds"
    series = [one for one in series if len(one.x)]
    return Chart(
        title=what if series else "",
        series=series,
        x_label="epoch",
        x_unit="count",
        y_label="validation accuracy" if quantity == "accuracy" else "training loss",
        y_unit="percent" if quantity == "accuracy" else "number",
        y_scale="linear" if quantity == "accuracy" else "log",
        empty="no epoch has ended yet",
    )


def _picked(run: RunView) -> list[tuple[float, float]]:
    picked = run.winning
    if picked is None or not picked.sparse or picked.search:
        return []
    score = scored(picked, run.split)
    return [] if score is None else [(picked.density, score)]


def _whole(run: RunView, colour: str, quantity: Quantity) -> Series:
    """All epochs of a run that only the store knows."""
    points = run.losses if quantity == "loss" else run.validations
    x, y = [point[0] for point in points], [point[1] for point in points]
    return Series(f"s{run.seed}", x, y, colour)


def _newest(run: RunView, colour: str, quantity: Quantity) -> Series:
    """The newest level of a run that has something to show, bright."""
    series = [_training(run, level, colour, quantity) for level in run.levels]
    drawn = [one for one in series if len(one.x)]
    return replace(drawn[-1], label=f"s{run.seed}", faint=False) if drawn else Series("", [], [])


def _training(run: RunView, level: LevelView, colour: str, quantity: Quantity) -> Series:
    """The curve of one level; faint if it is not the current one."""
    losses = enumerate(level.losses, start=1)
    points = list(losses if quantity == "loss" else level.validations)
    x, y = [point[0] for point in points], [point[1] for point in points]
    return Series(f"s{run.seed}", x, y, colour, faint=level is not run.current)
