"""What tickets are measured against: dense networks of the same data, model and training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.repetition import Repetition
    from lthtui.runview import RunView


DENSE = "dense"


def dense(runs: Sequence[RunView], others: Sequence[RunView] = ()) -> dict[Repetition, RunView]:
    """By repetition, the runs whose dense level is the baseline of a family.

    Runs of `dense` come first, then dense levels of other methods; `runs` before `others`. A
    network made small has all of its own weights, but is not dense.
    """
    whole = max((level.total for run in (*runs, *others) for level in run.levels), default=0)
    for found in (_plain(runs), _plain(others), runs, others):
        whole_ones = [run for run in found if run.dense and run.dense.total == whole]
        if whole_ones:
            return {run.repetition: run for run in sorted(whole_ones, key=_rank)}
    return {}


def over(
    mine: Mapping[Repetition, float | None], base: Mapping[Repetition, float | None]
) -> tuple[list[float], bool]:
    """Differences of what is known by repetition, and whether they are paired.

    Without one in common it is the one difference of means; none where there is nothing.
    """
    known = {one: value for one, value in mine.items() if value is not None}
    other = {one: value for one, value in base.items() if value is not None}
    paired = [known[one] - other[one] for one in known if one in other]
    if paired or not known or not other:
        return paired, True
    return [mean(known.values()) - mean(other.values())], False


def _plain(runs: Iterable[RunView]) -> list[RunView]:
    return [run for run in runs if run.sparsifier == DENSE and run.controls is None]


def _rank(run: RunView) -> tuple[int, bool, float]:
    """The best comes last: trained once, finished, new."""
    return -len(run.levels), run.done, run.created
