"""Metrics of evaluations beside one another: a column for each ticket, means over repetitions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from statistics import mean, stdev
from typing import TYPE_CHECKING

from engine import registry
from engine.errors import SpecError
from lthtui.aligned import aligned
from lthtui.measured import kind
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.runview import RunView

DENSE, TICKET = "dense", "ticket"
NONE = "–"
Figures = dict[tuple[str, str], dict[str, str]]  # by evaluation and metric: by ticket, as text


def called(run: RunView, level: int) -> str:
    """What a level is called beside others: dense, ticket, or its number."""
    if run.final and run.winner == level and level:
        return TICKET
    known = next((one for one in run.levels if one.index == level), None)
    return DENSE if known and not known.sparse and not level else f"level {level}"


def heads(runs: Sequence[RunView]) -> list[str]:
    """What there is a column for: dense, the ticket, and other levels in their order."""
    found = {called(run, one.level) for run in runs for one in run.measured if one.metrics}
    return sorted(found, key=rank)


def rank(head: str) -> tuple[int, int]:
    """What sorts columns."""
    if head in (DENSE, TICKET):
        return (DENSE, TICKET).index(head), 0
    return 2, int(head.removeprefix("level "))


def figures(runs: Sequence[RunView]) -> Figures:
    """What was measured of runs of one group, by evaluation, and within in its own order."""
    values: dict[tuple[str, str], dict[str, list[float]]] = {}
    for run in runs:
        for one in run.measured:
            for metric, value in one.metrics.items():
                row = values.setdefault((one.name, metric), {})
                row.setdefault(called(run, one.level), []).append(value)
    order = list(dict.fromkeys(name for name, _ in values))
    return {
        key: {head: _spread(*key, found, len(runs)) for head, found in values[key].items()}
        for key in sorted(values, key=lambda key: order.index(key[0]))
    }


def lines(runs: Sequence[RunView]) -> Iterator[str]:
    """The table as plain lines, and what does not apply; none where nothing was measured."""
    columns, cells = heads(runs), figures(runs)
    rows = [
        [clean_line(name), clean_line(metric), *(by.get(head, NONE) for head in columns)]
        for (name, metric), by in cells.items()
    ]
    if rows:
        yield from aligned(["evaluation", "metric", *columns], rows)
    for name, why in inapplicable(runs).items():
        yield f"{clean_line(name)} does not apply: {clean_line(why, 1000)}"


def inapplicable(runs: Sequence[RunView]) -> dict[str, str]:
    """The evaluations that mean nothing for any ticket they were asked of, and why."""
    found = {one.name: one.inapplicable for run in runs for one in run.measured}
    applied = {one.name for run in runs for one in run.measured if not one.inapplicable}
    return {name: why for name, why in found.items() if name not in applied}


def shown(name: str, metric: str, value: float) -> str:
    """A number with its unit."""
    return f"{100 * value:.2f}%" if is_share(name, metric) else _number(value, 4)


def is_share(name: str, metric: str) -> bool:
    """Whether a metric of an evaluation is a fraction of 1 that is shown in percent."""
    return bool(re.fullmatch(_shares(kind(name)), metric))


@lru_cache
def _shares(kind: str) -> str:
    """The metrics of an evaluation that are; of one that this version does not have, none."""
    try:
        found: str = registry.load("evaluations", kind).Settings.shares
    except SpecError:
        return ""
    return found


def _spread(name: str, metric: str, values: Sequence[float], runs: int) -> str:
    """The mean, the deviation of several, and how many they are if not all."""
    count = f" ({len(values)})" if len(values) < runs else ""
    if len(values) == 1:
        return shown(name, metric, values[0]) + count
    around = stdev(values)
    if is_share(name, metric):
        return f"{100 * mean(values):.2f} ± {100 * around:.2f}%{count}"
    return f"{_number(mean(values), 4)} ± {_number(around, 2)}{count}"


def _number(value: float, digits: int) -> str:
    """A number of so many digits; with all of them where it counts parameters or bytes."""
    whole = 10**digits <= abs(value) < 1e9
    return f"{value:,.0f}" if whole else f"{value:.{digits}g}"
