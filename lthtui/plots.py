"""The charts of runs: accuracy against density, and training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import Literal

from lthtui.charts import Curve, Line, Panel, Point, Trace, accuracy_panel
from lthtui.colours import colours
from lthtui.runview import LevelView, RunView, scored
from lthtui.verdict import standing, wins

Quantity = Literal["accuracy", "loss"]


def density_curve(
    runs: Sequence[RunView], label: str, colour: str, dense: Mapping[int, LevelView]
) -> Panel:
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
    return accuracy_panel([curve], name, dense_score(runs, dense), standing(runs))


def points(run: RunView) -> list[Point]:
    """Each level on the curve; searches trained no ticket, and are left out."""
    return [
        point for level in run.ended_levels if not level.search for point in point_of(run, level)
    ]


def point_of(run: RunView, level: LevelView) -> list[Point]:
    """The level on the curve of its run; none if it was not scored."""
    score = scored(level, run.split)
    return [] if score is None else [Point(level.density, score, level.index)]


def dense_score(runs: Sequence[RunView], dense: Mapping[int, LevelView]) -> float | None:
    """Mean accuracy of dense over the seeds of the runs, or over all where they share none.

    Args:
        dense: by seed, the levels that stand for dense; see `baseline.dense`.
    """
    shared = {run.seed for run in runs} & dense.keys() or dense.keys()
    scores = [scored(dense[seed], run.split) for run in runs[:1] for seed in shared]
    known = [score for score in scores if score is not None]
    return mean(known) if known else None


def training_curve(runs: Sequence[RunView], colour: str, quantity: Quantity) -> Panel:
    """Each epoch of a level: the current level bright over the earlier ones, or one per seed."""
    if any(run.stored for run in runs):
        given = colours(run.run_id for run in runs)
        lines = [_whole(run, given[run.run_id], quantity) for run in runs]
        what = "all levels"
    elif len(runs) == 1:
        lines = [_training(runs[0], level, colour, quantity) for level in runs[0].levels]
        what = f"level {runs[0].current.index}" if runs[0].current else ""
    else:
        given = colours(run.run_id for run in runs)
        lines = [_newest(run, given[run.run_id], quantity) for run in runs]
        what = f"newest level of {len(runs)} seeds"
    lines = [line for line in lines if line.traces]
    return Panel(
        title=what if lines else "",
        lines=lines,
        xs=("epoch",),
        y_label="validation accuracy" if quantity == "accuracy" else "training loss",
        y_unit="percent" if quantity == "accuracy" else "number",
        y_scale="linear" if quantity == "accuracy" else "log",
        empty="no epoch has ended yet",
    )


def _picked(run: RunView) -> list[Point]:
    picked = run.winning
    if picked is None or not picked.sparse or picked.search:
        return []
    return point_of(run, picked)


def _whole(run: RunView, colour: str, quantity: Quantity) -> Line:
    """All epochs of a run that only the store knows."""
    points = run.losses if quantity == "loss" else run.validations
    return _line(f"s{run.seed}", points, colour)


def _newest(run: RunView, colour: str, quantity: Quantity) -> Line:
    """The newest level of a run that has something to show, bright."""
    lines = [_training(run, level, colour, quantity) for level in run.levels]
    drawn = [line for line in lines if line.traces]
    return replace(drawn[-1], faint=False) if drawn else Line("", ())


def _training(run: RunView, level: LevelView, colour: str, quantity: Quantity) -> Line:
    """The curve of one level; faint if it is not the current one."""
    losses = tuple(enumerate(level.losses, start=1))
    points = losses if quantity == "loss" else level.validations
    return replace(_line(f"s{run.seed}", points, colour), faint=level is not run.current)


def _line(label: str, points: Sequence[tuple[int, float]], colour: str) -> Line:
    """A line over epochs."""
    if not points:
        return Line(label, (), colour)
    epochs, values = zip(*points, strict=True)
    return Line(label, [Trace(values, {"epoch": epochs})], colour)
