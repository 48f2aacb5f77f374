"""Groups of runs against one another: accuracy, density and cost over runs, and baselines."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import UsageError, did_you_mean
from engine.repetition import Repetition
from lthtui import baseline, caveats
from lthtui.baseline import DENSE
from lthtui.rows import Choice, Gain, Result, Row, Spread
from lthtui.runview import RunView, best
from lthtui.spent import spent

Known = Mapping[str, RunView]  # by id, runs that others may start from


@dataclass(frozen=True)
class Comparison:
    """Rows, and in `notes` what they leave out and why."""

    level: Choice
    baselines: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def compare(
    runs: Sequence[RunView],
    labels: Mapping[str, str],
    level: Choice = "winning",
    baselines: Sequence[str] = (DENSE,),
    others: Sequence[RunView] = (),
    given: Mapping[str, Collection[str]] | None = None,
) -> Comparison:
    """Compare the groups of `runs`, in the order of the runs, controls behind what they control.

    Args:
        labels: by group.
        level: which one is read: the one that won, the best or last one, the dense one, the one
            that validation or test images pick, or a number. All but the dense one and a number
            need a finished run.
        baselines: labels or methods; `dense` may also be the dense levels of other methods' runs.
        others: runs that are not compared, but whose dense ones may be the baseline `dense`, and
            whose tickets others may start from.
        given: by group, what of other runs its runs start from, as `choosing.given` finds it.

    Raises:
        UsageError: a baseline is none of the groups, or several of a family; all dense ones count
            as one, whose first trainings are the same. Or all runs are finished and none
            has the level of this number.
    """
    gathered: dict[str, list[RunView]] = {}
    for run in runs:
        gathered.setdefault(run.group, []).append(run)
    known = {run.run_id: run for run in (*others, *runs)}
    rows = _ordered([_row(labels[group], of, level, known) for group, of in gathered.items()])
    if isinstance(level, int) and all(run.done for run in runs):
        _check_level(level, rows)
    for name in baselines:
        _check_baseline(name, rows)
    families = {row.first.family: None for row in rows}
    bases = {
        (f, name): _baseline(name, rows, f, others, known) for f in families for name in baselines
    }
    measured = tuple(_measured(row, baselines, bases) for row in rows)
    notes = caveats.of(measured, runs, level, bases, baselines, given or {})
    return Comparison(level, tuple(baselines), measured, notes)


def describe(comparison: Comparison) -> dict[str, Any]:
    """A comparison as JSON: accuracies and densities as fractions of 1, seconds, operations."""
    return {
        "level": comparison.level,
        "baselines": list(comparison.baselines),
        "groups": [described(row) for row in comparison.rows],
        "notes": list(comparison.notes),
    }


def matching(name: str, rows: Iterable[Row]) -> list[Row]:
    """The rows that a baseline's name means: of this label, else method, else first words."""
    found = [*rows]
    named = [row for row in found if row.label == name]
    named = named or [row for row in found if row.method == name]
    return named or [row for row in found if row.label.startswith(f"{name} ")]


def _row(label: str, runs: Sequence[RunView], level: Choice, known: Known) -> Row:
    """A row without its comparisons; of the same repetition the newest finished one counts."""
    ordered = sorted(runs, key=lambda run: (run.done, run.created))
    newest = {run.repetition: run for run in ordered}
    members = tuple(newest[one] for one in sorted(newest))
    results = (_result(run, _index(run, level), level, known) for run in members)
    return Row(label, members, tuple(result for result in results if result))


def _ordered(rows: Sequence[Row]) -> list[Row]:
    place = {run.run_id: i for i, row in reversed([*enumerate(rows)]) for run in row.runs}

    def key(index: int) -> tuple[int, bool, int]:
        controls = rows[index].first.controls
        head = place.get(controls.run, index) if controls else index
        return head, controls is not None, index

    return [rows[index] for index in sorted(range(len(rows)), key=key)]


def _index(run: RunView, choice: Choice) -> int | None:
    """The level of a run that is meant; None if it has none, or not yet."""
    if isinstance(choice, int):
        return choice
    if choice == "dense":
        return run.dense.index if run.dense else None
    if not run.done:
        return None
    if choice == "last":
        return run.ended_levels[-1].index if run.ended_levels else None
    if choice == "best":
        return best(run.levels, run.split, run.metric)
    return run.winner if choice == "winning" else run.picked(choice)


def _result(run: RunView, index: int | None, choice: Choice, known: Known) -> Result | None:
    ended = run.ended_levels
    level = next((one for one in ended if one.index == index), None)
    if level is None:
        return None
    picked = not isinstance(choice, int) and choice != "dense"  # out of all, which were trained
    trained = [one for one in ended if picked or one.index <= level.index]
    return Result(run, level, spent(run, trained, known))


def _check_level(level: int, rows: Sequence[Row]) -> None:
    known = {one.index for row in rows for run in row.runs for one in run.ended_levels}
    if known and level not in known:
        there = f"levels 0 to {max(known)}" if max(known) else "level 0 only"
        raise UsageError(f"none of these runs has a level {level}; they have {there}")


def _check_baseline(name: str, rows: Sequence[Row]) -> None:
    found = matching(name, rows)
    if not found and name != DENSE:
        known = dict.fromkeys(word for row in rows for word in (row.label, row.method))
        raise UsageError(f"no group is called '{name}'{did_you_mean(name, [*known])}")
    trained = {frozenset(run.run_id for run in row.runs): row for row in found}
    families = [row.first.family for row in trained.values()]
    if len(set(families)) < len(families) and name != DENSE:
        listed = "".join(f"\n  {row.label}" for row in found)
        raise UsageError(f"baseline {name} means several groups; name one by its label:{listed}")


def _baseline(
    name: str, rows: Sequence[Row], family: str, others: Sequence[RunView], known: Known
) -> dict[Repetition, Result]:
    """A baseline's results in a family, by repetition; of `dense` always the dense level."""
    related = [row for row in rows if row.first.family == family]
    if name == DENSE:
        runs = [run for row in related for run in row.runs]
        beside = [run for run in others if run.family == family]
        return _dense_levels(baseline.dense(runs, beside), known)
    found = (result for row in matching(name, related) for result in row.results)
    return {result.run.repetition: result for result in found}


def _dense_levels(runs: Mapping[Repetition, RunView], known: Known) -> dict[Repetition, Result]:
    found = {
        which: _result(run, _index(run, "dense"), "dense", known) for which, run in runs.items()
    }
    return {which: result for which, result in found.items() if result}


def _measured(
    row: Row, baselines: Sequence[str], found: Mapping[tuple[str, str], dict[Repetition, Result]]
) -> Row:
    """The row with what it gains over each baseline and costs relative to the first."""
    bases = {name: found[row.first.family, name] for name in baselines}
    first = [*bases[baselines[0]].values()] if baselines else []
    return Row(
        row.label,
        row.runs,
        row.results,
        {name: _gain(row.results, base) for name, base in bases.items()},
        _ratio(row.results, first, lambda one: one.spent.training_flops),
        _ratio(row.results, first, lambda one: one.level.inference_flops),
    )


def _gain(results: Sequence[Result], base: Mapping[Repetition, Result]) -> Gain | None:
    mine, other = (
        {one.run.repetition: one.level.test for one in of} for of in (results, base.values())
    )
    if all(_is(one, base.get(one.run.repetition)) for one in results):
        return None
    found, paired = baseline.over(mine, other)
    spread = Spread.of(found)
    if spread and not paired:
        spread = Spread(spread.mean, None, sum(value is not None for value in mine.values()))
    return Gain(spread, paired) if spread else None


def _is(one: Result, other: Result | None) -> bool:
    return other is not None and one.level is other.level


def _ratio(
    results: Iterable[Result], base: Iterable[Result], value: Callable[[Result], float | None]
) -> float | None:
    mine, other = Spread.of(map(value, results)), Spread.of(map(value, base))
    return mine.mean / other.mean if mine and other and other.mean else None


def described(row: Row) -> dict[str, Any]:
    """A group as JSON."""
    first = row.first
    return {
        "label": row.label,
        "sparsifier": first.sparsifier,
        "control": first.controls.kind if first.controls else None,
        "dataset": first.dataset,
        "model": first.model,
        "group": first.group,
        "family": first.family,
        "density": _spread(row.spread(lambda one: one.level.density)),
        "val_accuracy": _spread(row.spread(lambda one: one.level.val)),
        "test_accuracy": _spread(row.spread(lambda one: one.level.test)),
        "gains": {
            name: {
                **_spread(gain.spread if gain else None),
                "paired": gain.paired if gain else None,
            }
            for name, gain in row.gains.items()
        },
        "training_flops": _spread(row.spread(lambda one: one.spent.training_flops)),
        "training_flops_ratio": row.cost,
        "inference_flops": _spread(row.spread(lambda one: one.level.inference_flops)),
        "inference_flops_ratio": row.inference,
        "seconds": _spread(row.spread(lambda one: one.spent.seconds)),
        "device_seconds": _spread(row.spread(lambda one: one.spent.device_seconds)),
        "joules": _spread(row.spread(lambda one: one.spent.joules)),
        "runs": [
            {"run_id": one.run.run_id, **one.run.repetition.told, "level": one.level.index}
            for one in row.results
        ],
    }


def _spread(spread: Spread | None) -> dict[str, Any]:
    if spread is None:
        return {"mean": None, "std": None, "n": 0}
    return {"mean": spread.mean, "std": spread.deviation, "n": spread.count}
