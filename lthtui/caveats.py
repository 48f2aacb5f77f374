"""What a comparison leaves out, or takes from elsewhere, and why: its notes, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from engine.repetition import Repetition, listed
from lthtui.baseline import DENSE
from lthtui.rows import Choice, Result, Row
from lthtui.runview import PLAIN, RunView
from lthtui.text import clean_line

SPLITS: Mapping[Choice, str] = {"val": "validation", "test": "test"}
Bases = Mapping[tuple[str, str], Mapping[Repetition, Result]]  # by family and baseline


def of(
    rows: Sequence[Row],
    runs: Sequence[RunView],
    level: Choice,
    bases: Bases,
    baselines: Sequence[str],
    given: Mapping[str, Collection[str]],
) -> tuple[str, ...]:
    """All that is to be said of rows; see `comparison.compare`."""
    return (
        *_left_out(rows, level),
        *_without(baselines, bases, rows),
        *_unnamed(bases.values(), runs),
        *_shared(rows),
        *_otherwise(rows),
        *_reused(rows, given),
    )


def _left_out(rows: Sequence[Row], level: Choice) -> Iterator[str]:
    """Runs that do not count, with the reason, and repetitions that only others have."""
    for row in rows:
        counted = {result.run.repetition for result in row.results}
        for run in row.runs:
            if run.repetition not in counted:
                yield f"{row.label} {run.repetition} is left out: {why(run, level)}"
        yield from lacking(row, [one for one in rows if one.first.family == row.first.family])


def lacking(row: Row, rows: Iterable[Row]) -> Iterator[str]:
    """Repetitions that only others of some rows have."""
    others = {run.repetition for one in rows for run in one.runs}
    missing = sorted(others - {run.repetition for run in row.runs})
    if missing:
        yield f"{row.label} has no run of {listed(missing, others)}, which others have"


def why(run: RunView, level: Choice) -> str:
    """Why a run has no result at a level."""
    if level in SPLITS and run.done:
        return f"it has no accuracy on {SPLITS[level]} images"
    if run.done:
        return f"it has no level {level}" if isinstance(level, int) else f"it has no {level} level"
    return f"it is {run.status}" + (f" ({run.error})" if run.error else "")


def _without(
    baselines: Sequence[str],
    found: Bases,
    rows: Sequence[Row],
) -> Iterator[str]:
    """Rows that are compared with nothing, or not run by run."""
    for name in baselines:
        alone = [row.label for row in rows if row.results and not found[row.first.family, name]]
        if alone:
            yield f"no {name} run of the same data and training for {', '.join(alone)}"
        loose = [row.label for row in rows if (gain := row.gains[name]) and not gain.paired]
        if loose:
            yield f"no seed in common with {name}, so of means only: {', '.join(loose)}"


def _unnamed(
    bases: Iterable[Mapping[Repetition, Result]], runs: Iterable[RunView]
) -> Iterator[str]:
    """Baselines that nobody has named."""
    named = {run.run_id for run in runs}
    ids = [one.run.run_id for base in bases for one in base.values()]
    if found := [run for run in ids if run not in named]:
        yield f"{DENSE} is taken from runs that were not named: {', '.join(found)}"


def _shared(rows: Sequence[Row]) -> Iterator[str]:
    """Rows that have the same runs, which count in each of them."""
    holders: dict[str, list[Row]] = {}
    for row in rows:
        for result in row.results:
            holders.setdefault(result.run.run_id, []).append(row)
    shared: dict[tuple[str, ...], list[str]] = {}
    for run, found in holders.items():
        if found[1:]:
            shared.setdefault(tuple(row.label for row in found), []).append(run)
    for labels, ids in shared.items():
        yield f"the same trainings stand in {' and '.join(labels)}: {', '.join(ids)}"


def _otherwise(rows: Sequence[Row]) -> Iterator[str]:
    """Rows whose levels are picked by something else than what is compared."""
    for metric in dict.fromkeys(row.first.metric for row in rows if row.first.metric != PLAIN):
        labels = ", ".join(row.label for row in rows if row.first.metric == metric)
        said = clean_line(metric.replace("_", " "))
        yield f"levels are picked by {said}; what is only called accuracy is plain: {labels}"


def _reused(rows: Sequence[Row], given: Mapping[str, Collection[str]]) -> Iterator[str]:
    """Rows whose cost is more than their own, or not all that it took."""
    roles = {"tickets": "start from", "images": "train on", "weights": "begin with"}
    for what, role in roles.items():
        found = [row for row in rows if row.results and _starts_from(what, row, given)]
        for said, those in (
            ("included", [row.label for row in found if _all_known(row)]),
            ("left out", [row.label for row in found if not _all_known(row)]),
        ):
            if those:
                yield f"the cost of finding the {what} they {role} is {said}: {', '.join(those)}"


def _all_known(row: Row) -> bool:
    """Whether all runs that a row's start from are known here."""
    return all(one.spent.others and not one.spent.unknown for one in row.results)


def _starts_from(what: str, row: Row, given: Mapping[str, Collection[str]]) -> bool:
    retrained = what == "tickets" and row.first.sparsifier == "ticket"
    return retrained or what in given.get(row.first.group, ())
