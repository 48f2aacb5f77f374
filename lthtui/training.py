"""Training curves of a run, or of the runs of a group: which level, of which metrics, as charts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lthtui.charts import Line, Panel, Trace
from lthtui.charts.axes import Floats, Scale
from lthtui.charts.panel import XName
from lthtui.charts.ticks import Unit
from lthtui.runview import LevelView, RunView
from lthtui.text import clean_line

LOSS, ACCURACY = "epoch/train_loss", "epoch/val_accuracy"  # which the views of runs have, too
WHOLE = -1  # stands for all of a run, where a metric belongs to no level
XS: tuple[XName, ...] = ("density", "level", "epoch", "step", "relative", "wall")
OTHERS = "#8590b5"  # colour of the levels that are not chosen
OURS = ("epoch", "level", "winning", "evaluation")  # groups of metrics that our worker measures
SPLITS = {"train": "training", "val": "validation", "test": "test"}

Traces = Mapping[int, Trace]  # by level


def panel(
    metric: str,
    runs: Sequence[RunView],
    found: Sequence[Traces | None],
    level: int | None,
    label: str,
    colour: str,
) -> Panel:
    """One level of a metric with its spread over the runs, bright over all other levels.

    Args:
        found: of each run what was read of the metric; None where that is still to be done.
        level: None for the newest; metrics that belong to no level are drawn as a whole.
        label: what the runs are called together.
    """
    known = [traces or {} for traces in found]
    name, unit, scale = described(metric)
    indices = sorted({index for traces in known for index in traces})
    shown = chosen(indices, level)
    lines = [
        Line(f"level {index}", of_level(known, index), OTHERS, faint=True)
        for index in indices
        if index not in (shown, WHOLE)
    ]
    called = str(runs[0].repetition) if len(runs) == 1 and runs[0].seeded else label
    bright = Line(called, of_level(known, shown), colour)
    lines += [bright] if bright.traces else []
    read = all(traces is not None for traces in found)
    where = f"level {shown}" if indices != [WHOLE] and shown != WHOLE else ""
    return Panel(
        title=where if lines else "",
        lines=lines,
        xs=axes(trace for line in lines for trace in line.traces),
        y_label=name,
        y_unit=unit,
        y_scale=scale,
        empty=f"no {name} of {where or 'these runs'} yet" if read else "reading…",
    )


def described(metric: str) -> tuple[str, Unit, Scale]:
    """What a metric is called, and the unit and the scale of its axis."""
    group, _, rest = metric.partition("/")
    if group not in OURS:
        return clean_line(metric), "number", "linear"
    words = rest.split("_") if group in ("epoch", "level") else metric.split("_")
    name = " ".join([SPLITS.get(words[0], words[0]), *words[1:]])
    unit: Unit = "percent" if words[-1].endswith(("accuracy", "density")) else "number"
    return (
        clean_line(name),
        unit,
        "log" if metric.startswith("epoch/") and _loss(rest) else "linear",
    )


def drawable(wanted: Sequence[str], runs: Sequence[RunView]) -> tuple[str, ...]:
    """Those of the metrics that some run has; if none is, the first loss or what there is."""
    known = {name for run in runs for name in run.metrics}
    found = tuple(name for name in wanted if name in known)
    if found or not known:
        return found or tuple(wanted)
    return (min(known, key=lambda name: (name.startswith("system/"), not _loss(name), name)),)


def viewed(run: RunView, metric: str) -> Traces | None:
    """By level what the view of a run has of a metric, which is little but there at once."""
    if run.stored or metric not in (LOSS, ACCURACY):
        return None
    points = {level.index: epochs(level, metric) for level in run.levels}
    return {index: trace(each) for index, each in points.items() if each}


def epochs(level: LevelView, metric: str) -> Sequence[tuple[int, float]]:
    """The loss or the accuracy of each epoch of a level that it was measured in."""
    return level.validations if metric == ACCURACY else [*enumerate(level.losses, start=1)]


def trace(points: Sequence[tuple[int, float]]) -> Trace:
    """Values over epochs."""
    places, values = zip(*points, strict=True)
    return Trace(values, {"epoch": places})


def split(levels: NDArray[np.int64], values: Floats, at: Mapping[XName, Floats]) -> Traces:
    """Points by level, over those of the places that each of them has."""
    known = {name: place for name, place in at.items() if np.isfinite(place).all()}
    if not len(levels) or (levels == levels[0]).all():
        return {int(level): Trace(values, known) for level in levels[:1]}
    traces = {}
    for level in np.unique(levels).tolist():
        mine = levels == level
        traces[level] = Trace(values[mine], {name: place[mine] for name, place in known.items()})
    return traces


def chosen(indices: Iterable[int], level: int | None) -> int:
    """The level that is meant, or the newest."""
    return max(indices, default=WHOLE) if level is None else level


def of_level(found: Iterable[Traces], level: int) -> list[Trace]:
    """What each run has of a level, or as a whole."""
    return [one for traces in found if (one := traces.get(level, traces.get(WHOLE))) and len(one.y)]


def axes(traces: Iterable[Trace]) -> tuple[XName, ...]:
    """What x can be: what all of them have."""
    each = [set(one.at) for one in traces]
    return tuple(name for name in XS if each and all(name in one for one in each)) or ("epoch",)


def _loss(name: str) -> bool:
    return name.lower().endswith("loss")
