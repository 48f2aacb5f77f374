"""What the data-efficient tickets paper prints, and the runs that stand for each number of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from lthtui import yamlfile
from lthtui.runview import RunView

FILE = Path(__file__).with_suffix(".yaml")
TWIN = "-cpu"  # ends the names of specs that are small enough for a CPU

Scalar = str | float | bool | None
Where = Mapping[str, Scalar | tuple[Scalar, ...]]
"""Settings by dotted field. Of several values any will do, `*` is any at all, null is none."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Made(_Part):
    """What tells runs, and the spec that makes them.

    Attributes:
        spec: a name in specs/paper/; empty where what this is part of says it.
        first: the spec that has to be run before that.
    """

    where: Where = {}
    spec: str = ""
    first: str = ""


class Column(_Made):
    """What is measured in a column, of which ticket.

    Attributes:
        which: the dense level, the picked one if anything was pruned there (ticket) or whatever it
            is (picked), or the last.
        evaluation: how the evaluation's label begins; accuracy on test images where it is empty.
        metric: of the evaluation.
        unit: of the printed numbers; a percent is 0.01 of what runs measure.
        control: the kind of control that runs are; those of other columns are none.
    """

    title: str
    which: Literal["dense", "ticket", "picked", "last"]
    evaluation: str = ""
    metric: str = ""
    unit: Literal["percent", "ratio"] = "percent"
    control: str = ""

    def measures(self, label: str) -> bool:
        """Whether an evaluation of this label is meant: with whatever further settings."""
        return re.match(rf"{re.escape(self.evaluation)}(?!\w)", label) is not None

    def measured(self, printed: float | None) -> float | None:
        """A printed number as runs measure it: fractions of 1 for percents."""
        if printed is None or self.unit == "ratio":
            return printed
        return round(printed / 100, 6)


class Row(_Made):
    """A row.

    Attributes:
        numbers: as printed, of the first columns; others have none.
        cpu: whether the spec for a CPU makes its runs, too.
    """

    label: str
    numbers: tuple[float | None, ...] = ()
    cpu: bool = True
    remark: str = ""


class Entry(_Made):
    """A table, a part of one, or a figure."""

    id: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()

    @property
    def specs(self) -> tuple[str, ...]:
        """All specs that make its runs."""
        found = (one.spec for one in (self, *self.columns, *self.rows) if one.spec)
        return tuple(dict.fromkeys(found))


class Paper(_Part):
    """All of it.

    Attributes:
        protocol: settings of all of the paper's runs that have them; of several values the first
            is what most have.
        remarks: what to know of all numbers.
    """

    title: str
    protocol: Where
    remarks: tuple[str, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Cell:
    """One number, and the runs that stand for it.

    Attributes:
        number: as runs measure it: a fraction of 1, or a ratio; None where none is printed.
        groups: runs that differ in their repetition only; none where there are no such runs.
        files: the spec that makes these runs, behind one that has to be run before.
    """

    row: Row
    column: Column
    number: float | None
    groups: tuple[tuple[RunView, ...], ...]
    files: tuple[str, ...]

    @property
    def command(self) -> str:
        """Makes these runs, and what they lack of evaluations."""
        return f"lthtui run {' '.join(self.files)}"


@dataclass(frozen=True)
class Beside:
    """An entry with runs beside its numbers; `rows` has the cells of each row."""

    entry: Entry
    rows: tuple[tuple[Cell, ...], ...]


@cache
def load() -> Paper:
    """What is published."""
    return Paper.model_validate(yamlfile.read(FILE).data)


def of(runs: Sequence[RunView], specs: Collection[str] = ()) -> tuple[Beside, ...]:
    """The entries that specs belong to, with the runs beside their numbers.

    Args:
        runs: with the controls of these, for entries that have such.
        specs: names of the specs in question, since a run may serve several; those that the runs
            are of, by their experiments, unless one is of the paper.
    """
    entries = load().entries
    ours = {spec for entry in entries for spec in entry.specs}
    named = {one.removesuffix(TWIN) for one in specs} & ours
    named = named or {run.experiment.removesuffix(TWIN) for run in runs}
    small = any(name.endswith(TWIN) for name in (*specs, *(run.experiment for run in runs)))
    return tuple(_beside(one, runs, small) for one in entries if named & {*one.specs})


def where(entry: Entry, row: Row, column: Column) -> Where:
    """The settings that tell the runs of a cell; a column's count before a row's."""
    return {**entry.where, **row.where, **column.where}


def meets(wanted: Where, params: Mapping[str, str]) -> bool:
    """Whether settings, as MLflow has them, are those that are wanted."""
    return all(_is(params.get(field), value) for field, value in wanted.items())


def unlike(run: RunView) -> dict[str, tuple[str, str]]:
    """By field, what a run has and what the paper has instead."""
    return {
        field: (run.params[field], _written(value))
        for field, value in load().protocol.items()
        if field in run.params and not _is(run.params[field], value)
    }


def _beside(entry: Entry, runs: Sequence[RunView], small: bool) -> Beside:
    return Beside(entry, tuple(tuple(_cells(entry, row, runs, small)) for row in entry.rows))


def _cells(entry: Entry, row: Row, runs: Iterable[RunView], small: bool) -> Iterator[Cell]:
    for at, column in enumerate(entry.columns):
        printed = row.numbers[at] if at < len(row.numbers) else None
        groups: dict[str, list[RunView]] = {}
        for run in runs:
            if _kind(run) == column.control and meets(where(entry, row, column), run.params):
                groups.setdefault(run.group, []).append(run)
        yield Cell(
            row,
            column,
            column.measured(printed),
            tuple(map(tuple, groups.values())),
            files(entry, row, column, small and row.cpu),
        )


def files(entry: Entry, row: Row, column: Column, small: bool) -> tuple[str, ...]:
    """The specs that make the runs of a cell, of those for a CPU if `small`."""
    end = TWIN if small else ""
    made = next(one for one in (row, column, entry) if one.spec)
    return tuple(f"specs/paper/{name}{end}.yaml" for name in (made.first, made.spec) if name)


def _kind(run: RunView) -> str:
    return run.controls.kind if run.controls else ""


def _is(known: str | None, wanted: Scalar | tuple[Scalar, ...]) -> bool:
    if isinstance(wanted, tuple):
        return any(_is(known, one) for one in wanted)
    if wanted is None or wanted == "*":
        return bool(known) is (wanted == "*")
    if known is not None and isinstance(wanted, float):
        try:
            return float(known) == wanted
        except ValueError:
            return False
    return known == str(wanted)


def _written(value: Scalar | tuple[Scalar, ...]) -> str:
    first = value[0] if isinstance(value, tuple) else value
    return f"{first:g}" if isinstance(first, float) else str(first)
