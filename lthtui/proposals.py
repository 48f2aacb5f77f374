"""Which settings a search tries next: a pure function of its settings and the results so far."""

from __future__ import annotations

import math
import warnings
from collections.abc import Generator, Mapping, Sequence
from itertools import islice, pairwise, product
from typing import Any

from lthtui.search import Density, Number, Scalar, Search, Span

Values = dict[str, Scalar]
Scores = Sequence[float | None]
Rounds = Generator[list[Values], Scores, str]


def rounds(search: Search) -> Rounds:
    """Yield the trials of each round, take their scores, and return a remark, or nothing, at last.

    A score is the figure that the goal is about, None where the trial failed.
    """
    if isinstance(search.goal, Density):
        return _sections(search, search.goal)
    return _grid(search) if search.sampler == "grid" else _sampled(search)


def best(search: Search, scores: Scores) -> int | None:
    """The trial that came nearest to the goal, the first of equals; None if all failed."""
    known = [index for index, score in enumerate(scores) if score is not None]
    return max(known, key=lambda index: _merit(search, scores[index]), default=None)


def met(goal: Density, density: float | None) -> bool:
    """Whether a density is near enough."""
    return density is not None and abs(density - goal.density) <= goal.tolerance * goal.density


def next_points(
    tried: Mapping[float, float | None], ends: tuple[float, float], target: float, count: int
) -> list[float]:
    """Where to look next for the value at which a density meets `target`.

    At first at both ends and evenly between them, then evenly between the two neighbours that
    have the target between them, those that came nearest if there are several; but the value that
    is nearest to where the target lies, should log odds of the density rise in a line, gives way
    to that. Where there are no such neighbours, between a trial that failed and one that did not.

    Args:
        tried: densities by value; None where a trial failed.
        count: values to try at once, at least 1.

    Returns:
        At most `count` values not tried yet; none if no neighbours, or no finer ones, are left.
    """
    first = [point for point in _even(*ends, max(count, 2)) if point not in tried]
    if len(tried) < max(count, 2) and first:
        return first[:count]
    inner: list[float] = []
    if bracket := _bracket(tried, target):
        for parts in range(count, count + len(tried) + 1):
            even = _even(*bracket, parts + 2)
            points = even if parts > count else _drawn_to(target, tried, even)
            inner = [point for point in points if point not in tried]
            if len(inner) >= count:
                break
    return inner[:count]


def _sections(search: Search, goal: Density) -> Rounds:
    ((field, span),) = search.over.items()
    tried: dict[float, float | None] = {}
    while len(tried) < search.most:
        low, high = span.ends
        found = next_points(tried, (float(low), float(high)), goal.density, search.at_once)
        points = found[: search.most - len(tried)]
        if not points:
            known = [density for density in tried.values() if density is not None]
            if not known:
                return "every trial failed"
            reached = f"densities from {min(known):.2%} to {max(known):.2%}"
            return f"{field} from {low:g} to {high:g} gives {reached}; widen over"
        scores = yield [{field: point} for point in points]
        tried.update(zip(points, scores, strict=True))
        if any(met(goal, score) for score in scores):
            return ""
    return f"{len(tried)} trials did not meet a density of {goal.density:g}; raise trials"


def _bracket(tried: Mapping[float, float | None], target: float) -> tuple[float, float] | None:
    def off(*values: float) -> float:
        return min(abs(d - target) for value in values if (d := tried[value]) is not None)

    known = sorted(value for value, density in tried.items() if density is not None)
    around = [
        (a, b)
        for a, b in pairwise(known)
        if ((tried[a] or 0.0) - target) * ((tried[b] or 0.0) - target) <= 0
    ]
    beside = [(a, b) for a, b in pairwise(sorted(tried)) if (a in known) != (b in known)]
    return min(around or beside, key=lambda pair: off(*pair), default=None)


def _drawn_to(
    target: float, tried: Mapping[float, float | None], even: Sequence[float]
) -> Sequence[float]:
    """Even points, of which one moves to where the target should lie, not too near to an end."""
    low, high, margin = even[0], even[-1], 0.5 / (len(even) - 1)
    first, last = tried[low], tried[high]
    if first is None or last is None or first == last:
        return even
    share = (_log_odds(target) - _log_odds(first)) / (_log_odds(last) - _log_odds(first))
    guess = low + (high - low) * min(max(share, margin), 1 - margin)
    nearest = min(even[1:-1], key=lambda point: abs(point - guess), default=None)
    return [float(f"{guess:.6g}") if point == nearest else point for point in even]


def _log_odds(density: float) -> float:
    share = min(max(density, 1e-6), 1 - 1e-6)
    return math.log(share / (1 - share))


def _even(low: float, high: float, count: int) -> list[float]:
    """So many values from `low` to `high`, both included, with six digits; none twice."""
    values = (low + (high - low) * index / (count - 1) for index in range(count))
    return [*dict.fromkeys(float(f"{value:.6g}") for value in values)]


def _grid(search: Search) -> Rounds:
    every = product(*(span.listed() for span in search.over.values()))
    points = islice(every, search.most)
    while some := [*islice(points, search.at_once)]:
        yield [dict(zip(search.over, point, strict=True)) for point in some]
    return ""


def _sampled(search: Search) -> Rounds:
    optuna = _optuna()
    samplers, state = optuna.samplers, optuna.trial.TrialState
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as of what Optuna calls experimental
        if search.sampler == "random":
            sampler = samplers.RandomSampler(seed=search.seed)
        else:
            sampler = samplers.TPESampler(seed=search.seed, constant_liar=True)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        space = {field: _distribution(optuna, span) for field, span in search.over.items()}
    for begin in range(0, search.most, search.at_once):
        asked = [study.ask(space) for _ in range(min(search.at_once, search.most - begin))]
        scores = yield [
            {field: span.written(trial.params[field]) for field, span in search.over.items()}
            for trial in asked
        ]
        for trial, score in zip(asked, scores, strict=True):
            study.tell(trial, score, state=state.COMPLETE if score is not None else state.FAIL)
    return ""


def _optuna() -> Any:
    """Optuna without its log; imported late, because it takes long."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _distribution(optuna: Any, span: Span) -> Any:
    kinds = optuna.distributions
    if span.choices:
        return kinds.CategoricalDistribution(span.choices)
    if span.whole:
        return kinds.IntDistribution(*span.ends, log=span.log, step=span.step or 1)
    return kinds.FloatDistribution(*span.ends, log=span.log, step=span.step)


def _merit(search: Search, score: float | None) -> float:
    value: Number = score or 0.0
    return -abs(value - search.goal.density) if isinstance(search.goal, Density) else value
