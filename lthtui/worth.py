"""What a ticket's gain is worth: how much of it is pruning's, and what of the ticket it rests on.

A ticket was trained several times and picked among several levels, and dense once. So its gain is
split by two controls: `null`, as many trainings and picks without pruning, and `budget`, one dense
training of as many epochs. All is test accuracy of picked levels, compared seed by seed; balanced
accuracy where the runs pick their levels by that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from engine.repetition import Repetition, listed
from lthtui import baseline, paired, sanity
from lthtui.caveats import why
from lthtui.comparison import compare
from lthtui.paired import Difference, Values
from lthtui.rows import Result, Row, Spread
from lthtui.runview import NEAR, LevelView, RunView
from lthtui.sanity import MARGIN, Check

ROLES = ("dense", "null", "budget", "ticket")
WHOLE = ("null", "budget")  # controls of a whole run, whichever level is picked
# What is less what, and what that is.
PARTS: Mapping[str, tuple[str, str, str]] = {
    "gain": ("ticket", "dense", "the gain"),
    "trainings": ("null", "dense", "trainings, picks"),
    "length": ("budget", "dense", "length alone"),
    "pruning": ("ticket", "null", "pruning"),
    "over_budget": ("ticket", "budget", "over that"),
}
Controls = Mapping[tuple[str, str], Sequence[RunView]]  # by the run that is controlled, and kind


@dataclass(frozen=True)
class Pick:
    """What the images of a split pick, by repetition.

    Attributes:
        levels: of the tickets.
        accuracies: test accuracies of what is picked, by role: `ticket` and `null`.
    """

    split: str
    levels: Mapping[Repetition, int]
    accuracies: Mapping[str, Values]


@dataclass(frozen=True)
class Worth:
    """What the tickets of a group are worth.

    Attributes:
        results: its runs with the level that each picked.
        accuracies: test accuracies by role.
        parts: of the gain, by their names in `PARTS`; corrected together for their number.
        picks: what validation and test images pick.
        missing: by kind of control, ids of the runs without one.
    """

    label: str
    group: str
    results: tuple[Result, ...]
    accuracies: Mapping[str, Values]
    parts: Mapping[str, Difference]
    picks: tuple[Pick, ...]
    checks: tuple[Check, ...]
    missing: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def spread(self, role: str) -> Spread | None:
        """Test accuracy of one role over the repetitions."""
        return Spread.of(self.accuracies[role].values())

    @property
    def metric(self) -> str:
        """What accuracies are: that by which the runs pick their levels."""
        return self.results[0].run.metric

    @property
    def optimism(self) -> Mapping[str, Spread | None]:
        """By role, test accuracy of what test images pick less that of what validation picks."""
        by = {pick.split: pick.accuracies for pick in self.picks}
        return {
            role: Difference.of(by["test"][role], by["val"][role]).spread
            for role in ("ticket", "null")
        }


@dataclass(frozen=True)
class _Beside:
    """Controls of one kind that stand beside tickets, and the runs that have none, and why."""

    runs: list[RunView] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    doubts: dict[str, list[Repetition]] = field(default_factory=dict)


def found(
    runs: Sequence[RunView],
    labels: Mapping[str, str],
    known: Iterable[RunView],
    margin: float = MARGIN,
) -> tuple[list[Worth], list[str]]:
    """What the tickets of each group of `runs` are worth, and what is left out, with the reason.

    Args:
        labels: by group.
        known: all runs, among which the controls and the dense networks are found; as
            `choosing.standing` gives them, for one may stand for several.
        margin: of accuracy; see `sanity.MARGIN`.
    """
    others = {(run.run_id, run.group): run for run in (*known, *runs)}.values()
    beside: dict[tuple[str, str], list[RunView]] = {}
    for run in others:
        if run.controls:
            beside.setdefault((run.controls.run, run.controls.kind), []).append(run)
    worths, notes = list[Worth](), list[str]()
    for row in compare(runs, labels, baselines=()).rows:
        if row.first.controls:
            continue
        results = tuple(one for one in row.results if one.level.sparse)
        notes += _without_ticket(row, results)
        if results:
            family = [run for run in others if run.family == row.first.family]
            worth, more = _worth(row.label, results, beside, family, margin)
            worths.append(worth)
            notes += more
    return worths, notes


def _without_ticket(row: Row, results: Sequence[Result]) -> Iterator[str]:
    """Runs that do not count, with the reason."""
    if row.results and not results:
        yield f"{row.label} has no ticket: nothing is pruned in what it picked"
        return
    counted = {one.run.run_id for one in results}
    for run in row.runs:
        if run.run_id not in counted:
            dense = run.done and run.winning
            what = "nothing is pruned in what it picked" if dense else why(run, "winning")
            yield f"{row.label} {run.repetition} is left out: {what}"


def _worth(
    label: str,
    results: tuple[Result, ...],
    beside: Controls,
    family: Sequence[RunView],
    margin: float,
) -> tuple[Worth, list[str]]:
    found = {kind: _beside(kind, results, beside) for kind in (*WHOLE, *sanity.CHECKS)}
    doubts = [
        f"{kind} of {label}, {listed(which)}: {doubt}"
        for kind, one in found.items()
        for doubt, which in one.doubts.items()
    ]
    missing = {kind: one.missing for kind, one in found.items() if one.missing}
    tests = {kind: _tests((run, run.winning) for run in one.runs) for kind, one in found.items()}
    dense, told = _dense(label, results, family)
    ticket = _tests((one.run, one.level) for one in results)
    accuracies = {"ticket": ticket, "dense": dense, **{kind: tests[kind] for kind in WHOLE}}
    return Worth(
        label,
        results[0].run.group,
        results,
        accuracies,
        _parts(accuracies),
        tuple(_pick(split, results, found["null"].runs) for split in ("val", "test")),
        sanity.checks(ticket, {kind: tests[kind] for kind in sanity.CHECKS}, missing, margin),
        missing,
    ), [*told, *doubts]


def _parts(accuracies: Mapping[str, Values]) -> dict[str, Difference]:
    made = (Difference.of(accuracies[mine], accuracies[other]) for mine, other, _ in PARTS.values())
    return dict(zip(PARTS, paired.corrected(made), strict=True))


def _beside(kind: str, results: Sequence[Result], controls: Controls) -> _Beside:
    """The newest control of each run that is of its very ticket."""
    found = _Beside()
    for result in results:
        there = controls.get((result.run.run_id, kind), ())
        doubts = {run.run_id: _doubt(run, kind, result) for run in there}
        fit = [run for run in there if not doubts[run.run_id]]
        if fit:
            found.runs.append(max(fit, key=lambda run: run.created))
            continue
        found.missing.append(result.run.run_id)
        for doubt in dict.fromkeys(doubts.values()):
            found.doubts.setdefault(doubt, []).append(result.run.repetition)
    return found


def _doubt(run: RunView, kind: str, result: Result) -> str:
    """Why a control does not stand beside a ticket; empty where it does."""
    picked, level = run.winning, result.level
    controls = run.controls.level if run.controls else None
    if not run.done:
        return why(run, "winning")
    if run.family != result.run.family or run.repetition != result.run.repetition:
        return "its seed, images or training are not those of the ticket"
    if kind not in WHOLE and controls != level.index:
        return f"it is of level {controls}, and level {level.index} is picked"
    if picked is None or not _known(_test(run, picked)):
        return "it has no test accuracy"
    if kind in WHOLE or picked.kept and 1 / NEAR <= picked.kept / max(1, level.kept) <= NEAR:
        return ""
    return f"it keeps {picked.kept:,} weights, and the ticket {level.kept:,}"


def _dense(
    label: str, results: Sequence[Result], family: Sequence[RunView]
) -> tuple[dict[Repetition, float], list[str]]:
    """Test accuracies of the tickets' own dense levels, or of other dense runs like them."""
    others, taken = baseline.dense([], family), list[str]()
    levels: list[tuple[RunView, LevelView | None]] = []
    for result in results:
        own, other = result.run.dense, others.get(result.run.repetition)
        if own is None and other is not None:
            taken.append(other.run_id)
        levels.append((result.run, own or (other.dense if other else None)))
    told = [f"{label} has no dense level; dense is {', '.join(taken)}"] if taken else []
    return _tests(levels), told


def _pick(split: str, results: Sequence[Result], nulls: Iterable[RunView]) -> Pick:
    """What a split picks of the same runs."""
    runs = [one.run for one in results]
    tickets = {run.repetition: level for run in runs if (level := _picked(run, split))}
    return Pick(
        split,
        {one: level.index for one, level in tickets.items()},
        {
            "ticket": _tests((run, _picked(run, split)) for run in runs),
            "null": _tests((run, _picked(run, split)) for run in nulls),
        },
    )


def _picked(run: RunView, split: str) -> LevelView | None:
    index = run.picked(split)
    return next((one for one in run.ended_levels if one.index == index), None)


def _tests(levels: Iterable[tuple[RunView, LevelView | None]]) -> dict[Repetition, float]:
    """Test accuracies that are known, by repetition."""
    found = ((run.repetition, _test(run, level)) for run, level in levels if level)
    return {which: test for which, test in found if test is not None and isfinite(test)}


def _test(run: RunView, level: LevelView) -> float | None:
    return level.scored("test", run.metric)


def _known(value: float | None) -> bool:
    return value is not None and isfinite(value)
