"""What a report is about: groups of runs, what they are measured against, and evaluations."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine.repetition import Repetition
from lthtui import baseline
from lthtui.charts.figure import DASHES
from lthtui.comparison import Comparison, compare
from lthtui.labels import SHORT
from lthtui.reports import figures
from lthtui.reports.evaluated import Evaluations
from lthtui.reports.model import Spread
from lthtui.rows import Choice, Row
from lthtui.runview import PLAIN, RunView


@dataclass(frozen=True)
class Subject:
    """All that sections are made from.

    Attributes:
        title: what the report is called.
        words: the runs, experiments and specs that were named.
        runs: those that are meant, each once in a group, in the order in which they were named.
        known: all runs there are, for baselines and controls that were not named.
        labels, colours: by group.
        spread: how figures over repetitions are told.
        given: by group, what of other runs its runs start from; see `choosing.given`.
    """

    title: str
    words: tuple[str, ...]
    runs: tuple[RunView, ...]
    known: tuple[RunView, ...]
    labels: Mapping[str, str]
    colours: Mapping[str, str]
    spread: Spread
    given: Mapping[str, set[str]]

    def compared(self, level: Choice = "winning") -> Comparison:
        """The groups, read at a level of each run."""
        return compare(self.runs, self.labels, level, others=self.known, given=self.given)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The groups at the levels that they picked, controls behind what they control."""
        return self.compared().rows

    @cached_property
    def methods(self) -> tuple[Row, ...]:
        """The groups that are no controls; or these where nothing else was named."""
        return tuple(row for row in self.rows if row.first.controls is None) or self.rows

    def told_by(self, metric: str) -> tuple[Row, ...]:
        """Methods that are told by accuracy, which are all, or by what else they pick levels by."""
        return tuple(row for row in self.methods if metric in (PLAIN, row.first.metric))

    def dense(self, row: Row, metric: str = PLAIN) -> dict[Repetition, float]:
        """Test accuracy of the dense networks of a method's family, or balanced accuracy."""
        mine, others = (
            [run for run in runs if run.family == row.first.family]
            for runs in (self.runs, self.known)
        )
        found = {one: run.dense for one, run in baseline.dense(mine, others).items()}
        scores = {one: level.scored("test", metric) for one, level in found.items() if level}
        return {one: score for one, score in scores.items() if score is not None}

    @cached_property
    def controls(self) -> tuple[RunView, ...]:
        """The controls of the runs, those too that were not named."""
        mine = {run.run_id for run in self.runs}
        return tuple(run for run in self.known if run.controls and run.controls.run in mine)

    @cached_property
    def evaluations(self) -> Evaluations:
        """What was evaluated of the runs."""
        return Evaluations({run.run_id: run for run in self.runs}.values())

    @property
    def here(self) -> bool:
        """Whether runs have folders, so that more can be evaluated of them."""
        return any(run.directory for run in self.runs)

    def command(self, verb: str, *options: str) -> str:
        """A command on the same groups, controls aside; what makes a report is `again`."""
        groups = (row.first.group[:SHORT] for row in self.methods)
        return " ".join(["lthtui", verb, *groups, *options])

    def again(self, *options: str) -> str:
        """The command that made the report."""
        return shlex.join(["lthtui", "report", *self.words, *options])


@dataclass(frozen=True)
class Look:
    """What a group is drawn with; no two groups of a report have the same.

    Attributes:
        colour: `#rrggbb`.
        dash, marker: as matplotlib takes them.
    """

    colour: str
    dash: Any
    marker: str


def look(subject: Subject, row: Row) -> Look:
    """What a group is drawn with: its own marker, and dashes where others have its colour."""
    groups = [one.first.group for one in subject.rows]
    at = groups.index(row.first.group)
    colour = subject.colours[row.first.group]
    before = sum(subject.colours[one] == colour for one in groups[:at])
    marker = figures.MARKERS[at % len(figures.MARKERS)]
    return Look(figures.ink(colour), DASHES[before % len(DASHES)], marker)


def unlike(runs: Sequence[RunView], name: str) -> bool:
    """Whether runs differ in a setting."""
    return len({run.params.get(name) for run in runs}) > 1
