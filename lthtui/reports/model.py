"""What a report is made of: sections of paragraphs, tables and figures, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from lthtui.reports.values import Value
    from lthtui.significance import Finding

Spread = Literal["std", "ci"]
SPREADS: dict[Spread, str] = {
    "std": "mean ± sample standard deviation",
    "ci": "mean ± half of the 95 % confidence interval of the mean (Student's t)",
}
Kind = Literal[
    "accuracy",
    "points",
    "density",
    "operations",
    "seconds",
    "count",
    "bytes",
    "joules",
    "number",
    "p",
]
UNITS: dict[Kind, str] = {  # of values in full
    **dict.fromkeys(("accuracy", "points", "density"), "fraction"),
    **{"operations": "operations", "seconds": "s", "bytes": "B", "joules": "J"},
}


@dataclass(frozen=True)
class Number:
    """A figure over repetitions, in full; how it is written is for the report to say.

    Attributes:
        values: one for each repetition; none where it is not known.
        kind: accuracies and densities are fractions of 1, points are differences of accuracies.
        stars: what a test says of it.
        best: whether no other of its column, or of its row, is better.
    """

    values: tuple[float, ...]
    kind: Kind = "number"
    stars: str = ""
    best: bool = False

    @classmethod
    def of(cls, values: Iterable[float | None], kind: Kind = "number", **more: Any) -> Number:
        """Of the values that are known."""
        return cls(tuple(value for value in values if value is not None), kind, **more)

    @classmethod
    def p(cls, finding: Finding | None) -> Number:
        """What a test says, corrected for all that was tested with it."""
        return cls.of([finding.holm if finding else None], "p")


Cell = str | Number


@dataclass(frozen=True)
class Table:
    """A table, each of whose rows begins with what it is about.

    Attributes:
        name: of its files, unique in a report: letters, digits and hyphens.
        caption: what has to be known to read it, in sentences.
        header: of all columns, the first included.
    """

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A picture.

    Attributes:
        name, caption: as of a table.
        draw: is given an empty figure of matplotlib's.
        size: width and height in inches.
        spread: whether it has bars or bands over runs.
    """

    name: str
    caption: str
    draw: Callable[[Any], None]
    size: tuple[float, float] = (6.0, 3.6)
    spread: bool = False

    def said(self, spread: Spread) -> str:
        """The caption, and what bars and bands are."""
        bands = f" Bars and bands, of several runs: {SPREADS[spread]}." if self.spread else ""
        return f"{self.caption}{bands}"


@dataclass(frozen=True)
class Details:
    """Text to unfold, as it is: a spec, commands."""

    title: str
    text: str


Block = str | Table | Figure | Details


@dataclass(frozen=True)
class Section:
    """One subject; a block of text is a paragraph."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Absent:
    """A section for which there is nothing yet, and the commands that would change that."""

    title: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """All of it.

    Attributes:
        command: makes it again.
        values: all numbers of runs.
    """

    title: str
    command: str
    spread: Spread
    sections: tuple[Section, ...]
    absent: tuple[Absent, ...]
    notes: tuple[str, ...]
    values: tuple[Value, ...] = ()

    @property
    def tables(self) -> list[Table]:
        """In the order of the page."""
        return [block for block in self._blocks if isinstance(block, Table)]

    @property
    def figures(self) -> list[Figure]:
        """In the order of the page."""
        return [block for block in self._blocks if isinstance(block, Figure)]

    @property
    def _blocks(self) -> list[Block]:
        return [block for section in self.sections for block in section.blocks]
