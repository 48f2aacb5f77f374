"""The best of many configurations: picked on one split, beside what the other one picks.

Images that pick are flattered by it: the more is tried, the more (Cawley and Talbot 2010, On
over-fitting in model selection). So validation images pick, and how much better the pick of the
test images looks on these is their optimism.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean as mean
from typing import Any, Literal

from engine.repetition import unit
from lthtui.caveats import lacking, why
from lthtui.comparison import compare, described
from lthtui.counting import counted
from lthtui.labels import told_apart
from lthtui.rows import Row
from lthtui.runview import PLAIN, RunView, candidates
from lthtui.text import clean_line

Split = Literal["val", "test"]
_OTHER: Mapping[Split, Split] = {"val": "test", "test": "val"}
_ANYWHERE = ("root", "seed", "fold", "examples", "examples_sha256")  # not what is validated on


@dataclass(frozen=True)
class Best:
    """The best of what was trained for the same images.

    Attributes:
        images: the data set, and the settings that tell it from others.
        split: whose images pick.
        rows: the configurations that compete, each with the levels that these images pick.
        picked: the best of them.
        other: the configuration and the levels that the other split picks; None where it cannot.
        metric: what is compared, accuracy or balanced accuracy.
    """

    images: str
    split: Split
    rows: tuple[Row, ...]
    picked: Row
    other: Row | None
    metric: str = PLAIN

    def by(self, split: Split) -> Row | None:
        """What a split picks."""
        return self.picked if split == self.split else self.other

    @property
    def optimism(self) -> float | None:
        """Mean on test images of what these pick, less that of what validation images do."""
        found = [
            row.spread(lambda one: one.level.scored("test", self.metric))
            for row in (self.by("test"), self.by("val"))
            if row is not None
        ]
        test, val = found if len(found) == 2 else (None, None)
        return test.mean - val.mean if test and val else None

    @property
    def same(self) -> bool:
        """Whether both splits pick the same levels of the same configuration."""
        return self.other is not None and _levels(self.picked) == _levels(self.other)

    @property
    def runs(self) -> tuple[RunView, ...]:
        """Every training that the pick is made from, once."""
        return tuple({run.run_id: run for row in self.rows for run in row.runs}.values())

    @property
    def levels(self) -> int:
        """How many levels all runs had to pick from."""
        return sum(
            len(candidates(one.levels, self.split, one.metric)) if one.picks == "best" else 1
            for one in self.runs
        )

    @property
    def tries(self) -> str:
        """On how much the pick is made, in words."""
        tried, each = counted(len(self.rows), "configuration"), {len(row.runs) for row in self.rows}
        if len(each) == 1:
            which = unit(run.repetition for run in self.runs)
            tried += f" × {counted(each.pop(), which)}"
        return f"{tried}: {counted(len(self.runs), 'run')}, {counted(self.levels, 'level')}"


def find(
    runs: Sequence[RunView], labels: Mapping[str, str], split: Split
) -> tuple[list[Best], list[str]]:
    """The best configuration for each set of images, and what does not compete, with the reason.

    A configuration's merit is the mean over its runs of the picked levels' accuracy, or of the
    balanced accuracy where all that compete pick their levels by that; of equal ones the first
    wins. One of whose runs has none does not compete, as in a search: what
    is left of it may be its lucky seeds. Controls don't either.
    """
    bests, notes = list[Best](), list[str]()
    own, other = (_rows(runs, labels, one) for one in (split, _OTHER[split]))
    on = images([row.first for row in own])
    controls = [row.label for row in own if row.first.controls]
    if controls:
        notes.append(f"controls do not compete: {', '.join(controls)}")
    for key in dict.fromkeys(on.values()):
        mine = [row for row in own if on[row.first.group] == key and not row.first.controls]
        metric = _metric(mine)
        notes += (note for row in mine for note in _doubts(row, mine, split, metric))
        rows = tuple(row for row in mine if not _lost(row, split, metric))
        if rows:
            among = {row.first.group for row in rows}
            beside = [one for one in other if one.first.group in among]
            known = [one for one in beside if not _lost(one, _OTHER[split], metric)]
            second = _top(known, _OTHER[split], metric) if known else None
            bests.append(Best(key, split, rows, _top(rows, split, metric), second, metric))
    return bests, notes


def describe(bests: Iterable[Best], notes: Sequence[str], split: Split) -> dict[str, Any]:
    """Picks as JSON: accuracies and optimism as fractions of 1."""
    return {"split": split, "best": [_described(one) for one in bests], "notes": [*notes]}


def _described(best: Best) -> dict[str, Any]:
    return {
        "images": best.images,
        "configurations": len(best.rows),
        "runs": len(best.runs),
        "levels": best.levels,
        "metric": best.metric,
        "merit": _merit(best.picked, best.split, best.metric),
        "optimistic": best.split == "test",
        "picked": described(best.picked),
        "on_validation": described(row) if (row := best.by("val")) else None,
        "on_test": described(row) if (row := best.by("test")) else None,
        "optimism": best.optimism,
    }


def _rows(runs: Sequence[RunView], labels: Mapping[str, str], split: Split) -> tuple[Row, ...]:
    return compare(runs, labels, split, baselines=()).rows


def _metric(rows: Sequence[Row]) -> str:
    """What all runs pick their levels by; plain accuracy where they do not agree."""
    metrics = {run.metric for row in rows for run in row.runs}
    return metrics.pop() if len(metrics) == 1 else PLAIN


def _lost(row: Row, split: Split, metric: str) -> list[RunView]:
    """Its runs without a level that the split picks, or without a score there."""
    scored = {one.run.run_id for one in row.results if one.level.scored(split, metric) is not None}
    return [run for run in row.runs if run.run_id not in scored]


def _top(rows: Sequence[Row], split: Split, metric: str) -> Row:
    """The first of those with the highest merit."""
    return max(rows, key=lambda row: _merit(row, split, metric))


def _merit(row: Row, split: Split, metric: str) -> float:
    """The mean score of the picked levels."""
    return mean(one.level.scored(split, metric) or 0.0 for one in row.results)


def _levels(row: Row) -> tuple[str, list[int]]:
    return row.first.group, [one.level.index for one in row.results]


def _doubts(row: Row, rows: Sequence[Row], split: Split, metric: str) -> Iterator[str]:
    """Why a configuration does not compete, or not quite as others do."""
    for run in _lost(row, split, metric)[:1]:
        yield f"{row.label} does not compete because of {run.repetition}: {why(run, split)}"
        return
    yield from lacking(row, rows)
    if any(run.split == "test" and run.params.get("select.epoch") == "best" for run in row.runs):
        yield f"{row.label} kept its best epochs by test images, so its test accuracy is optimistic"
    own = {run.metric for run in row.runs} - {metric}
    if own:
        picked = clean_line(" and ".join(sorted(own)).replace("_", " "))
        yield f"{row.label} picks its levels by {picked}; configurations compete by plain accuracy"


def images(runs: Sequence[RunView]) -> dict[str, str]:
    """By group, what it is trained and validated on, as it differs from that of others."""
    asked = {
        run.group: {
            key: value
            for key, value in sorted(run.params.items())
            if key.startswith("data.") and key.removeprefix("data.") not in _ANYWHERE
        }
        for run in runs
    }
    found = {}
    for run, differs in zip(runs, told_apart(asked).values(), strict=True):
        told = {key.removeprefix("data."): value for key, value in differs.items()}
        words = [f"{key}={value}" for key, value in told.items() if key != "name"]
        found[run.group] = clean_line(" ".join([run.dataset, *words]))
    return found
