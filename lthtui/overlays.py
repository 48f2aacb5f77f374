"""Groups over one another in one chart: accuracy against density, and training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Literal

from lthtui import training
from lthtui.board import Group, settled
from lthtui.charts import Curve, Line, Panel, Point, accuracy_panel
from lthtui.contrast import Split
from lthtui.runview import LevelView, RunView
from lthtui.verdict import wins

Quantity = Literal["accuracy", "loss"]
METRICS: dict[Quantity, str] = {"loss": training.LOSS, "accuracy": training.ACCURACY}
PICKED = -1  # stands for the level that each run picked


def density_overlay(groups: Sequence[Group], colours: Mapping[str, str], split: Split) -> Panel:
    """Accuracy against weights kept, one line a group with its spread over the seeds.

    The dense line is drawn where all groups are measured against the same networks.
    """
    curves = [_curve(group, colours.get(group.id, ""), split) for group in groups]
    name = "test accuracy" if split == "test" else "validation accuracy"
    told = "winning ticket" if any(curve.winning for curve in curves) else "no winning ticket"
    return accuracy_panel(curves, name, _dense(groups, split), told)


def training_overlay(
    groups: Sequence[Group], colours: Mapping[str, str], quantity: Quantity, level: int = PICKED
) -> Panel:
    """Epochs of one level, one line a group with its spread over the seeds.

    Args:
        level: `PICKED` for the one that each run picked.
    """
    lines = []
    for group in groups:
        runs = settled(group.runs) if level == PICKED else group.runs
        found = (_level(run, level) for run in runs)
        points = [training.epochs(one, METRICS[quantity]) for one in found if one is not None]
        traces = [training.trace(each) for each in points if each]
        if traces:
            lines.append(Line(group.label, traces, colours.get(group.id, "#56b4e9")))
    where = "the picked level" if level == PICKED else f"level {level}"
    name, unit, scale = training.described(METRICS[quantity])
    return Panel(
        title=where,
        lines=lines,
        xs=("epoch",),
        y_label=name,
        y_unit=unit,
        y_scale=scale,
        empty=f"no epochs of {where} are known",
    )


def _curve(group: Group, colour: str, split: Split) -> Curve:
    """The levels of a group; tickets that beat dense are marked apart from those that do not."""
    picked = [(run, run.winning) for run in settled(group.runs)]
    tickets = [(run, one) for run, one in picked if one and one.sparse and not one.search]
    won = [point for run, one in tickets if wins(run) for point in _point(one, split)]
    lost = [point for run, one in tickets if not wins(run) for point in _point(one, split)]
    seeds = [
        [point for level in run.ended_levels if not level.search for point in _point(level, split)]
        for run in group.runs
    ]
    return Curve(group.label, seeds, won, lost, colour)


def _point(level: LevelView, split: Split) -> list[Point]:
    score = level.scored(split)
    return [] if score is None else [Point(level.density, score, level.index)]


def _dense(groups: Sequence[Group], split: Split) -> float | None:
    """Mean accuracy of dense over all its seeds, whatever is drawn."""
    if not groups or len({group.runs[0].family for group in groups}) > 1:
        return None
    scores = [level.scored(split) for level in groups[0].dense.values()]
    known = [score for score in scores if score is not None]
    return fmean(known) if known else None


def _level(run: RunView, level: int) -> LevelView | None:
    if level == PICKED:
        return run.winning
    return next((one for one in run.levels if one.index == level), None)
