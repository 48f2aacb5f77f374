"""The chart of accuracy against density, of a run or of the runs of a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from engine.repetition import Repetition
from lthtui.board import settled
from lthtui.charts import Curve, Panel, Point, accuracy_panel
from lthtui.runview import LevelView, RunView
from lthtui.verdict import standing, wins


def density_curve(
    runs: Sequence[RunView], label: str, colour: str, dense: Mapping[Repetition, LevelView]
) -> Panel:
    """Accuracy on the selecting images against weights kept, over the repetitions of one group.

    Args:
        dense: by repetition, the levels that stand for dense; see `baseline.dense`.
    """
    split = runs[0].split if runs else "val"
    marked = settled(runs)
    curve = Curve(
        label,
        [points(run) for run in runs],
        [point for run in marked if wins(run) for point in _picked(run)],
        [point for run in marked if not wins(run) for point in _picked(run)],
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
    score = level.scored(run.split)
    return [] if score is None else [Point(level.density, score, level.index)]


def dense_score(runs: Sequence[RunView], dense: Mapping[Repetition, LevelView]) -> float | None:
    """Mean accuracy of dense over the repetitions of the runs, or over all where they share none.

    Args:
        dense: by repetition, the levels that stand for dense; see `baseline.dense`.
    """
    shared = {run.repetition for run in runs} & dense.keys() or dense.keys()
    scores = [dense[one].scored(run.split) for run in runs[:1] for one in shared]
    known = [score for score in scores if score is not None]
    return mean(known) if known else None


def _picked(run: RunView) -> list[Point]:
    picked = run.winning
    if picked is None or not picked.sparse or picked.search:
        return []
    return point_of(run, picked)
