"""Groups side by side: what each came to over its runs, and how sure one can be of differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from engine.repetition import Repetition, names, overlap, unit
from lthtui import significance
from lthtui.baseline import DENSE
from lthtui.rows import Result, Row
from lthtui.runview import LevelView, RunView
from lthtui.significance import TESTS, Finding, Test

Split = Literal["val", "test"]
Kind = Literal["accuracy", "points", "density", "operations", "seconds", "count", "share"]
Better = Literal["more", "less", ""]
NEAR = 1.12  # factor between two densities that still stand in one line: half of 20 % pruned
OTHERS = "the images are of another data set"
SPLITS: tuple[Split, ...] = ("test", "val")


@dataclass(frozen=True)
class Measure:
    """What a line tells.

    Attributes:
        kind: accuracies and densities are fractions of 1, points are differences of accuracies.
        better: which of two values is the better one; empty where neither is.
        density: the one at which it was measured; None for the picked level.
    """

    name: str
    kind: Kind
    better: Better = ""
    density: float | None = None


Measured = tuple[Measure, list[dict[Repetition, float]]]  # and by group the values by repetition


@dataclass(frozen=True)
class Entry:
    """One group's values of a measure. All but `finding` and `best` rests on its runs alone.

    Attributes:
        values: by repetition.
        finding: against the baseline; None where nothing was tested.
        best: whether no other group that is shown has a better mean.
    """

    values: Mapping[Repetition, float]
    finding: Finding | None = None
    best: bool = False

    @property
    def mean(self) -> float | None:
        """Over the repetitions; None without any, NaN where one is no number."""
        return significance.mean([*self.values.values()]) if self.values else None

    @property
    def deviation(self) -> float | None:
        """The sample deviation; None for less than two."""
        values = [*self.values.values()]
        return significance.deviation(values) if values[1:] else None


@dataclass(frozen=True)
class Line:
    """A measure with the entries of all groups, in their order."""

    measure: Measure
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Contrast:
    """A table of groups.

    Attributes:
        groups: their ids, and `labels` what they are called.
        baseline: the group that the others were tested against; None where there is one only.
        notes: what is left out and why.
    """

    groups: tuple[str, ...]
    labels: tuple[str, ...]
    lines: tuple[Line, ...]
    test: Test = "paired"
    baseline: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def findings(self) -> list[Finding]:
        """All that was tested."""
        entries = (entry for line in self.lines for entry in line.entries)
        return [entry.finding for entry in entries if entry.finding is not None]

    @property
    def repetitions(self) -> set[Repetition]:
        """All that have values."""
        return {one for line in self.lines for entry in line.entries for one in entry.values}

    @property
    def tested(self) -> str:
        """How it was tested, in one line; empty where nothing was."""
        if self.baseline is None or not self.findings:
            return ""
        counts = sorted({one.n for one in self.findings if one.p is not None})
        pairs = f", n = {counts[0]}" + (f" to {counts[-1]}" if counts[1:] else "") if counts else ""
        by = "" if self.test == "unpaired" else f" by {unit(self.repetitions)}"
        said = f"{TESTS[self.test]}{by} against {self.labels[self.baseline]}{pairs}"
        tested = [[one.finding for one in line.entries if one.finding] for line in self.lines]
        many = max(sum(one.p is not None for one in line) for line in tested)
        return f"{said}, Holm-corrected over {many} groups" if many > 1 else said


def contrast(
    rows: Sequence[Row],
    dense: Mapping[str, Mapping[Repetition, LevelView]],
    baseline: str = "",
    test: Test = "paired",
    split: Split = "test",
    notes: Iterable[str] = (),
    more: Iterable[Measured] = (),
) -> Contrast:
    """Set groups side by side.

    Args:
        rows: the groups with the level of each run that is read, as `comparison.compare` finds it.
        dense: by family and repetition, the levels that gains are over.
        baseline: id of the group that the others are tested against; see `base_of`.
        split: the images on which accuracies at densities were measured.
        more: what else was measured, by repetition, of each group.
    """
    ids = [row.first.group for row in rows]
    base = base_of(rows, baseline) if len(rows) > 1 else None
    measured = [*_of_results(rows, dense), *more, *_of_densities(rows, split)]
    alike = [base is not None and row.first.dataset == rows[base].first.dataset for row in rows]
    lines = [
        _line(measure, found, base, test, alike)
        for measure, found in measured
        if any(map(bool, found))
    ]
    told = [
        *notes,
        *_unpaired(rows, lines, base, test),
        *_dependent(lines, base, test),
        *_reached(rows),
    ]
    labels = tuple(row.label for row in rows)
    return Contrast(tuple(ids), labels, tuple(lines), test, base, tuple(told))


def base_of(rows: Sequence[Row], baseline: str) -> int:
    """Which group has this id; if none has, the first dense one, or else the first."""
    named = (at for at, row in enumerate(rows) if row.first.group == baseline)
    dense = (at for at, row in enumerate(rows) if row.method == DENSE)
    return next(named, next(dense, 0))


def densities(rows: Iterable[Row]) -> list[float]:
    """The densities of all groups' levels, from dense to sparse; near ones count as one."""
    found: list[float] = []
    for row in rows:
        levels: dict[int, list[float]] = {}
        for run in row.runs:
            for level in _trained(run):
                levels.setdefault(level.index, []).append(level.density)
        for mean in map(fmean, levels.values()):
            if not any(_near(mean, known) for known in found):
                found.append(mean)
    return sorted(found, reverse=True)


def at(run: RunView, density: float) -> LevelView | None:
    """The ended level that is nearest to a density, the later of two; None if none is near."""
    levels = [level for level in _trained(run) if _near(level.density, density)]
    return min(reversed(levels), key=lambda one: _distance(one.density, density), default=None)


def _trained(run: RunView) -> Iterator[LevelView]:
    return (level for level in run.ended_levels if not level.search and level.density > 0)


def _near(one: float, other: float) -> bool:
    return _distance(one, other) < math.log(NEAR)


def _distance(one: float, other: float) -> float:
    return abs(math.log(one / other))


def _of_results(
    rows: Sequence[Row], dense: Mapping[str, Mapping[Repetition, LevelView]]
) -> Iterator[Measured]:
    """What the picked levels came to."""

    def gain(result: Result) -> float | None:
        own = dense.get(result.run.family, {}).get(result.run.repetition)
        if own is None or own is result.level or own.test is None or result.level.test is None:
            return None
        return result.level.test - own.test

    figures: list[tuple[Measure, Callable[[Result], float | None]]] = [
        (Measure("val accuracy", "accuracy", "more"), lambda one: one.level.val),
        (Measure("test accuracy", "accuracy", "more"), lambda one: one.level.test),
        (Measure("gain", "points", "more"), gain),
        (Measure("weights kept", "density"), lambda one: one.level.density),
        (Measure("level", "count"), lambda one: one.level.index),
        (Measure("training FLOPs", "operations", "less"), lambda one: one.spent.training_flops),
        (Measure("FLOPs/image", "operations", "less"), lambda one: one.level.inference_flops),
        (Measure("training time", "seconds", "less"), lambda one: one.spent.seconds),
        (Measure("device time", "seconds", "less"), lambda one: one.spent.device_seconds),
        (Measure("energy (J)", "operations", "less"), lambda one: one.spent.joules),
    ]
    for measure, value in figures:
        known = [[(one.run.repetition, value(one)) for one in row.results] for row in rows]
        yield measure, [*map(_known, known)]


def _of_densities(rows: Sequence[Row], split: Split) -> Iterator[Measured]:
    """Accuracies at densities, of finished runs and of those that got that far."""
    for density in densities(rows):
        found = []
        for row in rows:
            levels = ((run.repetition, at(run, density)) for run in row.runs)
            found.append(_known((which, getattr(one, split, None)) for which, one in levels))
        yield Measure(f"{split} accuracy", "accuracy", "more", density), found


def _reached(rows: Sequence[Row]) -> Iterator[str]:
    """Runs that count nowhere but at densities."""
    for row in rows:
        read = {one.run.run_id for one in row.results}
        for run in (one for one in row.runs if one.run_id not in read and any(_trained(one))):
            yield f"{row.label} {run.repetition} counts at the densities that it got to"


def _known(values: Iterable[tuple[Repetition, float | None]]) -> dict[Repetition, float]:
    return {which: value for which, value in values if value is not None}


def _line(
    measure: Measure,
    found: Sequence[Mapping[Repetition, float]],
    base: int | None,
    test: Test,
    alike: Sequence[bool],
) -> Line:
    """The entries of a measure; accuracies are tested, costs hardly differ between runs.

    Args:
        alike: of each group whether it is scored on the baseline's images.
    """
    findings: list[Finding | None] = [None for _ in found]
    if measure.kind == "accuracy" and base is not None and found[base]:
        findings = [
            _tested(values, found[base], test, same) if values and index != base else None
            for index, (values, same) in enumerate(zip(found, alike, strict=True))
        ]
    best = _best(measure, found)
    entries = zip(found, significance.holm(findings), strict=True)
    return Line(
        measure,
        tuple(Entry(values, one, at in best) for at, (values, one) in enumerate(entries)),
    )


def _tested(
    mine: Mapping[Repetition, float], other: Mapping[Repetition, float], test: Test, alike: bool
) -> Finding:
    if not alike:
        return Finding(None, 0, why=OTHERS)
    return significance.test(mine, other, test, overlap(mine.keys() & other.keys()))


def _best(measure: Measure, found: Sequence[Mapping[Repetition, float]]) -> set[int]:
    """The groups whose mean no other's is better than; none where all are the same."""
    means = {
        index: significance.mean([*values.values()]) for index, values in enumerate(found) if values
    }
    means = {index: mean for index, mean in means.items() if math.isfinite(mean)}
    if not measure.better or len(means) < 2 or len(set(means.values())) < 2:
        return set()
    top = (max if measure.better == "more" else min)(means.values())
    return {index for index, mean in means.items() if mean == top}


def _unpaired(
    rows: Sequence[Row], lines: Sequence[Line], base: int | None, test: Test
) -> Iterator[str]:
    """Groups of which not all runs count, or not all of the baseline's."""
    if base is None or test == "unpaired":
        return
    for index, row in enumerate(rows):
        tested = next((line for line in lines if line.entries[index].finding), None)
        if tested is None or rows[index].first.dataset != rows[base].first.dataset:
            continue
        mine, other = tested.entries[index].values.keys(), tested.entries[base].values.keys()
        if mine != other:
            every = [*mine, *other]
            shared = ", ".join(names(sorted(mine & other), every)) or "none"
            yield f"{row.label} is tested on the {unit(every)}s in common: {shared}"


def _dependent(lines: Sequence[Line], base: int | None, test: Test) -> Iterator[str]:
    """What folds mean for a test."""
    tested = [line for line in lines if any(entry.finding for entry in line.entries)]
    if base is None or not any(overlap(line.entries[base].values) for line in tested):
        return
    yield "folds share training images and so do not count as independent: " + (
        "the t-test is corrected for that (Nadeau & Bengio 2003)"
        if test == "paired"
        else "the p of this test is too small; the paired t-test is corrected for that"
    )
