"""What a ticket is worth, told as JSON and in sentences that say no more than the statistics do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean as mean
from typing import Any

from engine.repetition import unit
from lthtui import paired, sanity
from lthtui.counting import counted
from lthtui.labels import SHORT
from lthtui.paired import Difference, Values
from lthtui.rows import Spread
from lthtui.worth import ROLES, Worth


def said(worth: Worth) -> list[str]:
    """Sentences: of the gain, of one training as long, of the picks, and of the checks."""
    unknown = [f"Not known of {one.kind}: {one.why}." for one in worth.checks if one.why]
    return [*_gain(worth), *_length(worth), *_picks(worth), sanity.said(worth.checks), *unknown]


def commands(worth: Worth) -> list[str]:
    """What makes the controls that are missing: of all its runs at once, or of some."""
    by_runs: dict[tuple[str, ...], list[str]] = {}
    for kind, runs in worth.missing.items():
        by_runs.setdefault(tuple(runs), []).append(kind)
    found = []
    for runs, kinds in by_runs.items():
        every = len(runs) == len(worth.results)
        words = worth.group[:SHORT] if every else " ".join(runs)
        found.append(f"lthtui control {words} --kind {','.join(kinds)}")
    return found


def describe(worths: Iterable[Worth], notes: Sequence[str]) -> dict[str, Any]:
    """As JSON: accuracies and differences of them as fractions of 1."""
    return {"groups": [_described(one) for one in worths], "notes": [*notes]}


def points(value: float) -> str:
    """A difference of accuracies in percentage points."""
    return f"{100 * value:+.2f}"


def between(difference: Difference) -> str:
    """A mean with its interval, or with why it has none."""
    if difference.mean is None:
        return "–"
    if difference.interval is None:
        return f"{points(difference.mean)}, {difference.finding.why}"
    low, high = map(points, difference.interval)
    return f"{points(difference.mean)}, 95 % interval {low} to {high}"


def _gain(worth: Worth) -> Iterator[str]:
    """How much of the gain is pruning's, as far as that is shown."""
    gain, extra, pruning = (worth.parts[name] for name in ("gain", "trainings", "pruning"))
    if gain.mean is None:
        yield "There is no dense network to compare with."
    elif gain.finding.p is None:
        yield f"{points(gain.mean)} points over dense, which nothing tests: {gain.finding.why}."
    elif gain.less:
        yield f"The ticket is worse than dense: {between(gain)}."
    elif not gain.more:
        yield f"No gain over dense is shown: {between(gain)}."
    elif not pruning.values:
        yield (
            f"The gain over dense is {between(gain)}; what is pruning's of it is not known"
            " without the null control."
        )
    elif pruning.more:
        yield _shared(worth, extra)
    elif pruning.less:
        yield f"As many trainings and picks without pruning give more: {between(pruning)}."
    elif extra.more:
        yield (
            f"Extra trainings and picks alone give {points(extra.mean or 0.0)} of"
            f" {points(gain.mean)} points; that pruning adds to it is not shown"
            f" ({between(pruning)})."
        )
    else:
        yield (
            f"There is a gain over dense ({between(gain)}), but whether pruning gives it"
            f" ({between(pruning)}) or extra trainings and picks ({between(extra)}) is not known."
        )


def _shared(worth: Worth, extra: Difference) -> str:
    """The sentence where pruning gives a part of the gain that is shown; of the same seeds all."""
    gain, pruning = worth.parts["gain"].values, worth.parts["pruning"].values
    both = [one for one in gain if one in pruning]
    part = f"{points(mean(pruning[one] for one in both))}"
    whole = f"{points(mean(gain[one] for one in both))} points"
    some = f" ({len(both)} of {counted(len(gain), unit(gain))})" if len(both) < len(gain) else ""
    if extra.more:
        return f"Pruning gives {part} of {whole}{some}; the rest is extra trainings and picks."
    if extra.less:
        return f"Pruning gives {part}{some}, of which trainings and picks cost some: {whole} left."
    return (
        f"Pruning gives {part} of {whole}{some}; that extra trainings and picks alone give anything"
        f" is not shown ({between(extra)})."
    )


def _length(worth: Worth) -> Iterator[str]:
    """The ticket against one dense training as long."""
    over = worth.parts["over_budget"]
    if not over.values:
        return
    if over.more:
        yield f"It is better than one dense training as long: {between(over)}."
    elif over.less:
        yield f"One dense training as long is better: {between(over)}."
    else:
        yield f"That it differs from one dense training as long is not shown: {between(over)}."


def _picks(worth: Worth) -> Iterator[str]:
    """What picking by test images would have looked like."""
    optimism = worth.optimism["ticket"]
    if optimism is None:
        return
    null = worth.optimism["null"]
    beside = f", and of the null {points(null.mean)}" if null else ""
    yield f"Best-on-test picks would look better by {points(optimism.mean)} points{beside}."


def _described(worth: Worth) -> dict[str, Any]:
    return {
        "label": worth.label,
        "group": worth.group,
        "metric": worth.metric,
        "runs": [
            {"run_id": one.run.run_id, **one.run.repetition.told, "level": one.level.index}
            for one in worth.results
        ],
        "test_accuracy": {role: _values(worth.accuracies[role]) for role in ROLES},
        "parts": {name: paired.described(one) for name, one in worth.parts.items()},
        "picks": [
            {
                "split": pick.split,
                "levels": [{**one.told, "level": at} for one, at in pick.levels.items()],
                **{role: _values(values) for role, values in pick.accuracies.items()},
            }
            for pick in worth.picks
        ],
        "checks": [sanity.described(one) for one in worth.checks],
        "missing": {kind: [*runs] for kind, runs in worth.missing.items()},
        "commands": commands(worth),
        "said": said(worth),
    }


def _values(values: Values) -> dict[str, Any]:
    spread = Spread.of(values.values())
    return {
        "mean": spread.mean if spread else None,
        "std": spread.deviation if spread else None,
        "n": len(values),
    }
