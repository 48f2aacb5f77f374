"""The cells of the table of runs: how a field's value looks, of one run and of a group of seeds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import TYPE_CHECKING, Literal, get_args

from engine.errors import did_you_mean
from lthtui import fields
from lthtui.board import GLYPHS, Group, accuracy, duration, gain, percent, settled, status_cell
from lthtui.fields import Field, Misread, Value, number
from lthtui.table import NOTHING, Cell
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.runview import RunView

Together = Literal["mean", "min", "max", "each"]
WIDEST = 40  # characters of a text in a cell
MOST_EACH = 2  # different texts of a group that are named
WEIGHTS = ("density", "sparsity")  # shares of them, kept and gone
_TITLES = {"name": "run", "density": "kept", "best_level": "best"}
_TOGETHER: dict[str, Together] = {
    "seed": "each",
    "level": "min",
    "best_level": "each",
    "eta": "max",
    "created": "max",
}
_RANKS = {"status": 1, "val": 2, "gain": 3, "density": 4, "test": 5, "level": 6, "eta": 7}


@dataclass(frozen=True)
class Heading:
    """A column that was chosen.

    Attributes:
        title: what stands above it; by default the field's own name.
        width: in cells; 0 for as much as it needs.
        pinned: it stays where others give way, and is never hidden.
        together: how the values of a group's runs become one cell; by default as suits the field:
            mean ± sample deviation for what was measured, the different values for settings.
    """

    field: Field
    title: str = ""
    width: int = 0
    pinned: bool = False
    together: Together | None = None

    @classmethod
    def parse(cls, text: str, known: Collection[str] | None = None) -> Heading:
        """A heading from `FIELD`, or `FIELD as TITLE`.

        Raises:
            Misread: it names no field.
        """
        name, _, title = text.partition(" as ")
        return cls(Field.parse(name.strip(), known), clean_line(title.strip(), WIDEST))

    @property
    def shown(self) -> str:
        """What stands above the column."""
        if self.field.kept is not None:
            return self.title or self.field.name
        key = self.field.key
        plain = (
            key.rpartition("/" if self.field.family in ("metrics", "evaluations") else ".")[2]
            or key
        )
        if self.field.reducer != "last":
            plain = f"{self.field.reducer} {plain}"
        return self.title or _TITLES.get(self.field.name) or clean_line(plain, WIDEST)

    @property
    def right(self) -> bool:
        """Whether its cells are numbers, and end in one line."""
        return self.field.numeric and self.field.kind != "time"

    def rank(self, position: int) -> int:
        """How early it gives way in a narrow table: see `table.Column`."""
        if self.field.name == "name":
            return 0
        return 1 if self.pinned else _RANKS.get(self.field.name, 10 + position)

    def cell(self, run: RunView, group: Group) -> Cell:
        """The cell of one run."""
        return cell(self.field, run, group)

    def summary(self, group: Group) -> Cell:
        """The cell of a group."""
        return summary(self.field, group, self.together)


DEFAULT = tuple(
    Heading(Field.parse(name))
    for name in ("name", "status", "level", "density", "val", "test", "gain", "eta")
)


def parse(text: str, known: Collection[str] | None = None) -> tuple[Heading, ...]:
    """Headings between commas, such as `name,val,best(epoch/val_loss) as loss`.

    Raises:
        Misread: one of them names no field; with the column in the whole text.
    """
    found = []
    for column, part in fields.split(text):
        try:
            found.append(Heading.parse(part, known))
        except Misread as error:
            raise Misread(column + error.column - 1, error.problem) from None
    return tuple(found)


def together(text: str) -> Together:
    """A way to show a group, by its name.

    Raises:
        Misread: there is none of this name.
    """
    ways = get_args(Together)
    found: Together | None = next((one for one in ways if one == text), None)
    if found is None:
        raise Misread(1, f"expected {', '.join(ways)}{did_you_mean(text, [*ways])}")
    return found


def cell(field: Field, run: RunView, group: Group) -> Cell:
    """What a run's value looks like."""
    if field.name == "status":
        return status_cell(run)
    if field.name == "level":
        return _at(run.level, run.planned_levels)
    value = field.of(run, group)
    if value is None or value == "":
        return NOTHING
    if _is_gain(field):
        return _gain_cell(value)
    if field.name == "val" and run.winning:
        return Cell(f"{show(field, value)} @{run.winning.index}")
    return Cell(show(field, value))


def show(field: Field, value: Value) -> str:
    """A value as text, cleaned."""
    if isinstance(value, str):
        return clean_line(value, WIDEST)
    if not math.isfinite(value):
        return str(value)
    if field.name in WEIGHTS:
        return percent(value) if field.name == "density" else f"{accuracy(value)}%"
    if field.name == "size":
        from lthtui.planning import size  # not before the first frame

        return size(value)
    if field.kind == "share":
        return accuracy(value)
    if field.kind == "seconds":
        return duration(value)
    if field.kind == "time":
        return moment(value)
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e9 else f"{value:.4g}"


def moment(seconds: float) -> str:
    """A time since 1970 as this place's date and minute."""
    try:
        return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return "–"


def summary(field: Field, group: Group, way: Together | None = None) -> Cell:
    """What a group's values look like together; nothing but its own runs counts.

    Of those see `counted`; means say of how many they are where that is not what `tally` says.
    """
    runs = group.runs
    if field.name == "status":
        return _statuses(runs)
    if _is_gain(field) and way is None:
        found = gain(counted(field, group), group.dense, field.kept)
        return NOTHING if found is None else _gain_cell(found)
    way = way or usual(field)
    if field.name == "level" and way == "min":
        return _at(_level(runs), max(run.planned_levels for run in runs))
    if field.name in WEIGHTS and way == "mean":
        share = worth(field, group)
        return Cell(show(field, share)) if isinstance(share, float) else NOTHING
    values, whole = known(field, group), len(settled(runs) if field.result else runs)
    if way == "each":
        return _each(field, values, whole)
    figures = _figures(values)
    if way == "mean" or not figures:
        return spread(field, figures, whole)
    return Cell(show(field, min(figures) if way == "min" else max(figures)))


def tally(group: Group) -> str:
    """How many runs the results of a group are of, and of how many where that are not all."""
    done, every = len(settled(group.runs)), len(group.runs)
    return f"n={done}" if done == every else f"n={done}/{every}"


def spread(field: Field, values: Iterable[float | None], whole: int) -> Cell:
    """Mean ± sample deviation of what is known, with its number if that is not `whole`."""
    figures = [value for value in values if value is not None]
    middle = _mean(figures)
    if middle is None:
        return NOTHING
    text = show(field, middle)
    if len(figures) > 1 and math.isfinite(middle):
        text += f"±{_deviation(field, figures, middle)}"
    return Cell(text if len(figures) == whole else f"{text} ({len(figures)})")


def usual(field: Field) -> Together:
    """How the values of a group become one if nothing else is asked for."""
    return _TOGETHER.get(field.name, "mean" if field.numeric else "each")


def counted(field: Field, group: Group) -> Sequence[RunView]:
    """The runs that a group's value is made of: of results, only those that are settled."""
    return settled(group.runs, field.kept) if field.result else group.runs


def known(field: Field, group: Group) -> list[Value]:
    """The values of those of a group's runs that count and have one."""
    values = (field.of(run, group) for run in counted(field, group))
    return [value for value in values if value is not None]


def worth(field: Field, group: Group) -> Value | None:
    """What a group is sorted by: the mean of its numbers, or else the first of its texts.

    As its cell has it: the gain is that over seeds in common, the density that of the picked
    levels, levels are the least of those that go on or are done, what is left the most, and
    created the newest.
    """
    if field.name == "level":
        return _level(group.runs)
    if _is_gain(field):
        return gain(counted(field, group), group.dense, field.kept)
    if field.name in WEIGHTS:
        shares = (field.of(run) for run in counted(field, group) if run.winning)
        picked = [share for share in shares if isinstance(share, float)]
        return _mean(picked or _figures(known(field, group)))
    values = known(field, group)
    figures = _figures(values)
    if len(figures) < len(values):
        return min(str(value) for value in values)
    way = usual(field)
    if not figures or way not in ("min", "max"):
        return _mean(figures)
    return min(figures) if way == "min" else max(figures)


def _mean(figures: Sequence[float]) -> float | None:
    """The mean of what there is; NaN where there is none, as of two infinities."""
    try:
        return fmean(figures) if figures else None
    except (ValueError, OverflowError):
        return math.nan


def _figures(values: Sequence[Value]) -> list[float]:
    """Values as numbers, without those that are none."""
    found = (number(value) if isinstance(value, str) else value for value in values)
    return [value for value in found if value is not None]


def _deviation(field: Field, figures: Sequence[float], middle: float) -> str:
    """The sample deviation as text; computed many times faster than by the library."""
    squares = [(one - middle) * (one - middle) for one in figures]
    value = math.sqrt(sum(squares) / (len(squares) - 1))
    if field.kind in ("share", "seconds") and math.isfinite(value):
        return accuracy(value) if field.kind == "share" else duration(value)
    return f"{value:.2g}"


def _each(field: Field, values: Sequence[Value], whole: int) -> Cell:
    """The different values in the order of their runs, and how many more there are.

    Where not all `whole` runs have one, it says how many do.
    """
    if field.name == "seed":
        values = sorted(values, key=float)
    different = list(dict.fromkeys(show(field, value) for value in values))
    if not different:
        return NOTHING
    more = f" +{len(different) - MOST_EACH}" if len(different) > MOST_EACH else ""
    some = f" ({len(values)})" if len(values) < whole else ""
    return Cell(", ".join(different[:MOST_EACH]) + more + some)


def _statuses(runs: Sequence[RunView]) -> Cell:
    counts = Counter(run.status for run in runs)
    if len(counts) == 1:
        return status_cell(runs[0])
    first = next(status for status in GLYPHS if counts[status])
    return Cell(" ".join(f"{GLYPHS[one]}{counts[one]}" for one in GLYPHS if counts[one]), first)


def _is_gain(field: Field) -> bool:
    """Whether it is a gain, of the ticket or at a share of weights."""
    return field.family == "run" and field.key == "gain"


def _gain_cell(gained: Value) -> Cell:
    value = round(100 * float(gained), 1)
    return Cell(f"{value:+.1f}".replace("-", "−"), "finished" if value > 0 else "failed")


def _level(runs: Sequence[RunView]) -> int | None:
    """How far all runs are, but for those that failed or were stopped if others were not."""
    known = [run for run in runs if run.level is not None]
    going = [run for run in known if run.active or run.status == "finished"] or known
    return min((run.level for run in going if run.level is not None), default=None)


def _at(level: int | None, planned: int) -> Cell:
    """A level, and the last one if it is known how many there are."""
    if level is None:
        return NOTHING
    return Cell(f"{level}/{planned - 1}" if planned > level else f"{level}")
