"""What the place for comparing shows of groups: figures, settings and charts, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from engine.repetition import Repetition, listed
from lthtui import contrast, differences, written
from lthtui.board import Group
from lthtui.comparison import compare
from lthtui.contrast import Contrast, Entry, Line, Split
from lthtui.differences import ABSENT, Setting
from lthtui.fitting import briefly
from lthtui.marks import NAME
from lthtui.rows import Row as Compared
from lthtui.significance import Test
from lthtui.table import NOTHING, Cell, Column, Row

if TYPE_CHECKING:
    from lthtui.charts import Panel
    from lthtui.charts.viewer import Viewer
    from lthtui.exports import Material
    from lthtui.runview import LevelView

Drawn = Literal["density", "loss", "accuracy"]
DRAWN: tuple[Drawn, ...] = ("density", "loss", "accuracy")
KEY, VALUE, WIDEST = 26, 9, 22  # cells of a setting: its key, its value at least and at most
LEAD, GAP = 2, 1  # cells before keys, and the fewest between columns
BEST = "▲"
BASE = "baseline"
T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What is to be shown.

    Attributes:
        baseline: id of the group that the others are tested against; see `contrast.base_of`.
        drawn: what the chart shows; `level` is that of training curves, see `overlays.PICKED`.
    """

    baseline: str = ""
    test: Test = "paired"
    split: Split = "test"
    drawn: Drawn = "density"
    level: int = -1


@dataclass(frozen=True, eq=False)
class Sides:
    """Groups side by side, in the order of the contrast."""

    groups: tuple[Group, ...]
    contrast: Contrast
    settings: tuple[Setting, ...]
    panel: Panel

    @property
    def baseline(self) -> int:
        """Which group the others are tested against."""
        return self.contrast.baseline or 0


def look(groups: Sequence[Group], colours: Mapping[str, str], asked: Asked) -> Sides:
    """Compare groups by the levels that they picked; this may take seconds."""
    groups = _briefly(groups)
    runs = [run for group in groups for run in group.runs]
    found = compare(runs, {group.id: group.label for group in groups}, "winning", ())
    dense = {group.runs[0].family: group.dense for group in groups}
    return of_rows(found.rows, dense, colours, asked, found.notes)


def of_rows(
    rows: Sequence[Compared],
    dense: Mapping[str, Mapping[Repetition, LevelView]],
    colours: Mapping[str, str],
    asked: Asked,
    notes: Iterable[str],
) -> Sides:
    """As `look`, of whatever level of each run the rows have.

    Args:
        dense: by family and repetition, the levels that gains are over.
    """
    from lthtui import maskpairs, overlays  # not before the first frame

    more = maskpairs.measured(rows, rows[contrast.base_of(rows, asked.baseline)])
    table = contrast.contrast(rows, dense, asked.baseline, asked.test, asked.split, notes, more)
    groups = tuple(
        Group(row.first.group, row.label, row.runs, dense.get(row.first.family, {})) for row in rows
    )
    if asked.drawn == "density":
        panel = overlays.density_overlay(groups, colours, asked.split)
    else:
        panel = overlays.training_overlay(groups, colours, asked.drawn, asked.level)
    settings = differences.settings([group.runs for group in groups])
    return Sides(groups, table, tuple(settings), panel)


def following(one: T, known: Sequence[T]) -> T:
    """The choice after this one."""
    return known[(known.index(one) + 1) % len(known)]


def levels(groups: Iterable[Group]) -> int:
    """How many levels the longest run has."""
    return max((len(run.levels) for group in groups for run in group.runs), default=0)


def material(sides: Sides, whole: bool, viewer: Viewer | None) -> Material:
    """What an export writes: the table, settings as they are shown, and the chart as it is seen."""
    from lthtui.exports import Material

    settings = meant(sides, whole)
    chart, view = (viewer.chart, viewer.view) if viewer else (None, None)
    return Material(sides.contrast, settings, chart, view)


def order(sides: Sides, first: int) -> list[int]:
    """The groups in columns: the baseline, and the others from the `first` one on."""
    others = [at for at in range(len(sides.groups)) if at != sides.baseline]
    return [sides.baseline, *others[first:]]


def columns(sides: Sides, shown: Sequence[int], what: str, width: int) -> list[Column]:
    """A column of names, and one for each group that is shown, in about `width` cells."""
    brief = briefly(sides.contrast.labels, width)
    labels = [brief[sides.contrast.labels[at]] for at in shown]
    groups = (Column(label, rank, right=True) for rank, label in enumerate(labels, start=1))
    return [Column(what, 0), *groups]


def figures(sides: Sides, shown: Sequence[int], colours: Mapping[str, str]) -> list[Row]:
    """The rows of figures, below one that tells the groups by their colours."""
    heads = [_head(sides, at, colours) for at in shown]
    rows = [Row("groups", (Cell("runs", "dim"), *heads))]
    for number, line in enumerate(sides.contrast.lines):
        cells = (_figure(line, line.entries[at], len(sides.groups[at].runs)) for at in shown)
        rows.append(Row(f"line {number}", (Cell(written.name(line.measure, short=True)), *cells)))
    return rows


class Room(NamedTuple):
    """How many groups fit beside the keys of settings, and how many cells keys and values have."""

    groups: int
    key: int
    value: int

    @classmethod
    def of(cls, width: int, groups: int, settings: Iterable[Setting]) -> Room:
        """Of so many groups as fit into a width beside the settings' keys, but two at least."""
        keys = min(max((len(one.key) for one in settings), default=0) + LEAD + GAP, KEY)
        fit = min(groups, max((width - keys) // (VALUE + GAP), 2))
        value = min(max((width - keys) // fit - GAP, VALUE), WIDEST)
        return cls(fit, max(width - fit * (value + GAP) - LEAD - GAP, VALUE), value)


def settings(sides: Sides, shown: Sequence[int], whole: bool, room: Room) -> list[Row]:
    """The rows of settings: those that differ, or all, with those that do not dimmed."""
    return [
        Row(
            one.key,
            (
                Cell(cut(one.key, room.key), "" if one.differs else "dim"),
                *(_value(one, at, sides.baseline, room.value) for at in shown),
            ),
        )
        for one in meant(sides, whole)
    ]


def meant(sides: Sides, whole: bool) -> list[Setting]:
    """All settings, or those that differ."""
    return [one for one in sides.settings if whole or one.differs]


def in_full(sides: Sides, key: str | None) -> str:
    """All that there is to say about the row of a key, in one line."""
    labels = sides.contrast.labels
    for one in sides.settings:
        if one.key == key:
            values = (f"{label}: {value or ABSENT}" for label, value in _pairs(labels, one.values))
            return f"{key}  {'  '.join(values)}"
    number = (key or "").removeprefix("line ")
    if number.isdecimal() and int(number) < len(sides.contrast.lines):
        return "  ".join(_told(sides, sides.contrast.lines[int(number)]))
    which = [listed(run.repetition for run in group.runs) for group in sides.groups]
    return "  ".join(f"{label}: {runs}" for label, runs in _pairs(labels, which))


def notes(sides: Sides) -> Iterator[str]:
    """How it was tested, and what was left out."""
    if sides.contrast.tested:
        yield f"{sides.contrast.tested}; {written.LEGEND}"
    whys = dict.fromkeys(one.why for one in sides.contrast.findings if one.why)
    yield from (f"no more can be said where {why}" for why in whys)
    yield from sides.contrast.notes


def cut(text: str, width: int) -> str:
    """A text that fits a column: its beginning and its end."""
    if len(text) <= width:
        return text
    return f"{text[: width // 2 - 1]}…{text[len(text) - (width - width // 2) :]}"


def _briefly(groups: Sequence[Group]) -> list[Group]:
    """The groups without the name of a spec that they share."""
    names = {name for group in groups if (name := group.label.partition(NAME)[2])}
    if len(names) != 1:
        return [*groups]
    brief = [replace(group, label=group.label.partition(NAME)[0]) for group in groups]
    return brief if len({group.label for group in brief}) == len(brief) else [*groups]


def _pairs(labels: Iterable[str], values: Iterable[str]) -> Iterator[tuple[str, str]]:
    return zip(labels, values, strict=True)


def _head(sides: Sides, at: int, colours: Mapping[str, str]) -> Cell:
    group = sides.groups[at]
    text = f"■ {len(group.runs)}" + (f" {BASE}" if at == sides.contrast.baseline else "")
    return Cell(text, colours.get(group.id, ""))


def _figure(line: Line, entry: Entry, whole: int) -> Cell:
    """Mean, deviation and stars; the number of runs where not all of the group count."""
    if not entry.values:
        return NOTHING
    found = written.entry(line.measure, entry)
    text = (replace(found, count="") if len(entry.values) == whole else found).joined()
    return Cell(f"{BEST}{text}", "winning") if entry.best else Cell(text)


def _value(one: Setting, at: int, base: int, width: int) -> Cell:
    value = one.values[at]
    if not value:
        return NOTHING
    return Cell(cut(value, width), "" if value != one.values[base] or at == base else "dim")


def _told(sides: Sides, line: Line) -> Iterator[str]:
    """What was tested in a line, or what there is of each repetition."""
    yield written.name(line.measure)
    for label, entry in zip(sides.contrast.labels, line.entries, strict=True):
        one = entry.finding
        if one is None:
            kind = line.measure.kind
            values = (f"{which} {written.figure(kind, v)}" for which, v in entry.values.items())
            yield f"{label}: {' '.join(values) or ABSENT}"
            continue
        if one.p is None:
            yield f"{label}: {one.why}"
            continue
        by = written.figure("points", one.difference or 0.0)
        holm = "" if one.holm in (None, one.p) else f", Holm {written.probability(one.holm or 0.0)}"
        why = f" ({one.why})" if one.why else ""
        yield f"{label}: {by}, p {written.probability(one.p)}{holm}, n = {one.n}{why}"
