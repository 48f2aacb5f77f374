"""Columns for runs that plain MLflow code wrote, as long as nobody has chosen any."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lthtui.columns import DEFAULT, Heading
from lthtui.fields import Field

if TYPE_CHECKING:
    from lthtui.runview import RunView

METRICS, PARAMS = 3, 3  # columns of each at most
_MACHINE = "system/"  # begins what MLflow measures of the machine
_FIRST = ("name", "status")
_LAST = ("created", "duration")


def suited(runs: Iterable[RunView]) -> tuple[Heading, ...]:
    """The usual columns, or what most runs have if all are somebody else's.

    Of metrics those that most runs have; of parameters those that differ, most often set first.
    """
    runs = list(runs)
    if not runs or not all(run.foreign for run in runs):
        return DEFAULT
    names = [*_FIRST, *_metrics(runs), *_params(runs), *_LAST]
    return tuple(Heading(Field.parse(name)) for name in names)


def _metrics(runs: Sequence[RunView]) -> list[str]:
    counts = Counter(key for run in runs for key in run.metrics if not key.startswith(_MACHINE))
    ranked = sorted(counts, key=lambda key: (-counts[key], key))
    return [f"metrics.{key}" for key in ranked[:METRICS]]


def _params(runs: Sequence[RunView]) -> list[str]:
    values: dict[str, Counter[str]] = defaultdict(Counter)
    for run in runs:
        for key, value in run.params.items():
            values[key][value] += 1
    differ = [key for key, found in values.items() if len(found) > 1]
    ranked = sorted(differ, key=lambda key: (-values[key].total(), key))
    return [f"params.{key}" for key in ranked[:PARAMS]]
