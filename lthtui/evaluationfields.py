"""Metrics of evaluations by short names: `calibration/ece` is that of the ticket that a run picked.

By their names in MLflow, as `evaluation/calibration/ece`, metrics are those of the highest level
that was evaluated, whichever was picked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine import registry
from lthtui.measured import kind

if TYPE_CHECKING:
    from lthtui.runview import RunView

PREFIX = "evaluation/"  # of names in MLflow


def is_one(name: str) -> bool:
    """Whether a name can be such a short one: that of an evaluation, a slash, and a metric."""
    label, slash, metric = name.partition("/")
    return bool(slash and metric) and kind(label) in registry.names("evaluations")


def shortened(metrics: Iterable[str]) -> set[str]:
    """The short names of those metrics that evaluations measured."""
    short = (name.removeprefix(PREFIX) for name in metrics if name.startswith(PREFIX))
    return {name for name in short if is_one(name)}


def is_share(name: str) -> bool:
    """Whether it is a fraction of 1 that is shown in percent."""
    from lthtui import evaluationtable  # not before the first frame

    label, _, metric = name.partition("/")
    return evaluationtable.is_share(label, metric)


def of(run: RunView, name: str) -> float | None:
    """What was measured of the ticket; of a run that only the store knows, the newest."""
    if not run.directory:
        return run.metrics.get(PREFIX + name, run.metrics.get(name))
    label, _, metric = name.partition("/")
    mine = (one for one in run.measured if (one.level, one.name) == (run.winner, label))
    return next((one.metrics[metric] for one in mine if metric in one.metrics), None)
