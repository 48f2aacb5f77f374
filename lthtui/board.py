"""All runs as a table: grouped by everything but the seed, mean and spread over seeds first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean as mean
from statistics import stdev

from lthtui import baseline
from lthtui.runview import LevelView, RunView, scored
from lthtui.table import NOTHING, Cell, Column, Row

GLYPHS = {
    "running": "●",
    "queued": "◌",
    "finished": "✓",
    "failed": "✗",
    "stopped": "■",
    "paused": "‖",
    "lost": "?",
}
COLUMNS = (
    Column("run", rank=0),
    Column("status", rank=1),
    Column("level", rank=3, right=True),
    Column("kept", rank=4, right=True),
    Column("val", rank=2, right=True),
    Column("test", rank=5, right=True),
    Column("gain", rank=6, right=True),
    Column("eta", rank=7, right=True),
)
GROUP = "group:"  # begins the key of a group's row


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed only, by seed.

    Attributes:
        label: tells it from others of its name.
        dense: by seed, the dense level that its runs are measured against.
        control: whether it stands under the group that it controls.
    """

    id: str
    label: str
    runs: tuple[RunView, ...]
    dense: Mapping[int, LevelView] = field(default_factory=dict)
    control: bool = False

    @property
    def key(self) -> str:
        """The key of its row; a single run stands for its group."""
        return GROUP + self.id if len(self.runs) > 1 else self.runs[0].run_id

    @property
    def created(self) -> float:
        """When its newest run was queued."""
        return max(run.created for run in self.runs)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The group's row and those of its runs, or the only run's."""
        label = f"└ {self.label}" if self.control else self.label
        if len(self.runs) == 1:
            return (Row(self.key, (Cell(label), *_cells(self.runs[0], self.dense))),)
        children = (
            Row(run.run_id, (Cell(f"s{run.seed}", "dim"), *_cells(run, self.dense)), depth=1)
            for run in self.runs
        )
        name = Cell(f"{label}  n={len(self.runs)}")
        return (Row(self.key, (name, *_summary(self))), *children)


@dataclass(frozen=True)
class Board:
    """Everything that the screens show about runs.

    Attributes:
        runs: by id.
        groups: newest first, each followed by its controls.
        colours: of each group's id, `#rrggbb`.
        unreadable: how many run folders have a spec that can't be read.
        trouble: what is wrong with the MLflow store, in one line.
    """

    runs: Mapping[str, RunView] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    colours: Mapping[str, str] = field(default_factory=dict)
    unreadable: int = 0
    trouble: str = ""

    @property
    def counts(self) -> Counter[str]:
        """How many runs there are of each status."""
        return Counter(run.status for run in self.runs.values())

    def members(self, key: str | None) -> tuple[RunView, ...]:
        """The runs that a row stands for."""
        if key in self.runs:
            return (self.runs[key or ""],)
        return next((group.runs for group in self.groups if group.key == key), ())

    def group_of(self, key: str | None) -> Group | None:
        """The group of a row."""
        members = self.members(key)
        wanted = members[0].group if members else None
        return next((group for group in self.groups if group.id == wanted), None)

    def rows(self, folded: Collection[str] = (), words: str = "") -> list[Row]:
        """The table: runs that have all `words`, without the children of folded groups.

        Hiding a run changes no figure of its group.
        """
        shown = []
        wanted = words.lower().split()
        for group in self.groups:
            found = [run for run in group.runs if _has(run, group.label, wanted)]
            if len(group.runs) == 1 and found:
                shown.append(_tinted(group.rows[0], self.colours.get(group.id, "")))
            elif found:
                head = _tinted(group.rows[0], self.colours.get(group.id, ""))
                shown.append(replace(head, fold="▸" if group.key in folded else "▾"))
                if group.key not in folded:
                    ids = {run.run_id for run in found}
                    shown += [row for row in group.rows[1:] if row.key in ids]
        return shown


def board(
    runs: Mapping[str, RunView],
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    unreadable: int = 0,
    trouble: str = "",
    before: Sequence[Group] = (),
) -> Board:
    """Group runs; `labels` names groups (by id) whose runs' name does not do.

    Groups that are as they were `before` are taken from there, with the rows they have made.
    """
    known = {group.id: group for group in before}
    members: dict[str, list[RunView]] = {}
    for run in runs.values():
        members.setdefault(run.group, []).append(run)
    dense, heads = _dense(runs.values()), _heads(runs)
    groups = []
    for id, found in members.items():
        runs_by_seed = tuple(sorted(found, key=lambda run: (run.seed, run.run_id)))
        label = labels.get(id) or found[0].name
        base = dense.get(found[0].family, {})
        group = Group(id, label, runs_by_seed, base, heads[id] != id)
        groups.append(known[id] if known.get(id) == group else group)
    groups.sort(key=lambda group: (-group.created, group.id))
    newest = {group.id: group.created for group in groups}
    groups.sort(key=lambda group: (-newest[heads[group.id]], heads[group.id], group.control))
    return Board(runs, tuple(groups), colours, unreadable, trouble)


def gain(runs: Sequence[RunView], dense: Mapping[int, LevelView]) -> float | None:
    """What picked levels have over dense: on test images, or where unknown on validation's.

    Args:
        dense: by seed, the levels that stand for dense; see `baseline.dense`.
    """
    won = {run.seed: run.winning for run in runs if run.winning}
    if all(dense.get(seed) is level for seed, level in won.items()):
        return None
    for split in ("test", "val"):
        mine = {seed: scored(level, split) for seed, level in won.items()}
        base = {seed: scored(level, split) for seed, level in dense.items()}
        if found := baseline.over(mine, base)[0]:
            return mean(found)
    return None


def status_cell(run: RunView) -> Cell:
    """Glyph, word and colour of what a run is doing."""
    if run.stalled and run.status == "running":
        return Cell("● stalled", "lost")
    return Cell(f"{GLYPHS.get(run.status, '?')} {run.status}", run.status)


def percent(fraction: float | None) -> str:
    """A density: two significant digits, as `6.9%`; 100% only where nothing was pruned."""
    if fraction is None:
        return "–"
    value = 100 * fraction
    if 99.5 <= value < 100:
        return f"{min(value, 99.9):.1f}%"
    return f"{value:.0f}%" if value >= 10 else f"{value:.2g}%"


def accuracy(fraction: float | None) -> str:
    """An accuracy in percent with one decimal, without the sign."""
    return "–" if fraction is None else f"{100 * fraction:.1f}"


def operations(count: float | None) -> str:
    """Floating-point operations with three significant digits, as `315 M` or `1.20 T`."""
    if count is None:
        return "–"
    for unit in ("", "k", "M", "G", "T", "P"):
        if count < 999.5:
            return f"{count:#.3g}".rstrip(".") + (f" {unit}" if unit else "")
        count /= 1000
    return f"{count:#.3g}".rstrip(".") + " E"


def duration(seconds: float | None) -> str:
    """Seconds as `m:ss` or `h:mm:ss`."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _cells(run: RunView, dense: Mapping[int, LevelView]) -> tuple[Cell, ...]:
    won = run.winning
    return (
        status_cell(run),
        _at(run.level, run.planned_levels),
        _kept([run]),
        Cell(f"{accuracy(won.val)} @{won.index}") if won and won.val is not None else NOTHING,
        Cell(accuracy(won.test)) if won and won.test is not None else NOTHING,
        _gain_cell(gain([run], dense)),
        Cell(duration(run.eta)) if run.eta is not None else NOTHING,
    )


def _summary(group: Group) -> tuple[Cell, ...]:
    """The cells of a group: ranges and mean ± sample deviation over those seeds that have one."""
    runs = group.runs
    levels = [run.level for run in runs if run.level is not None]
    winners = [run.winning for run in runs if run.winning]
    etas = [run.eta for run in runs if run.eta is not None]
    return (
        _statuses(runs),
        _at(min(levels, default=None), max(run.planned_levels for run in runs)),
        _kept(runs),
        spread_cell([won.val for won in winners], len(runs)),
        spread_cell([won.test for won in winners], len(runs)),
        _gain_cell(gain(runs, group.dense)),
        Cell(duration(max(etas))) if etas else NOTHING,
    )


def _kept(runs: Sequence[RunView]) -> Cell:
    """The mean density of the levels whose accuracies are shown, or else of those in training."""
    picked = [run.winning.density for run in runs if run.winning]
    densities = picked or [run.current.density for run in runs if run.current]
    return Cell(percent(mean(densities))) if densities else NOTHING


def _statuses(runs: Sequence[RunView]) -> Cell:
    counts = Counter(run.status for run in runs)
    if len(counts) == 1:
        return status_cell(runs[0])
    first = next(status for status in GLYPHS if counts[status])
    return Cell(" ".join(f"{GLYPHS[one]}{counts[one]}" for one in GLYPHS if counts[one]), first)


def spread_cell(values: Iterable[float | None], whole: int) -> Cell:
    """Mean ± sample deviation of accuracies, with their number if it is not `whole`."""
    known = [value for value in values if value is not None]
    if not known:
        return NOTHING
    text = accuracy(mean(known))
    if len(known) > 1:
        text += f"±{100 * stdev(known):.1f}"
    return Cell(text if len(known) == whole else f"{text} ({len(known)})")


def _gain_cell(gained: float | None) -> Cell:
    if gained is None:
        return NOTHING
    value = round(100 * gained, 1)
    return Cell(f"{value:+.1f}".replace("-", "−"), "finished" if value > 0 else "failed")


def _at(level: int | None, planned: int) -> Cell:
    return NOTHING if level is None else Cell(f"{level}/{max(planned - 1, 0)}")


def _heads(runs: Mapping[str, RunView]) -> dict[str, str]:
    """By group, the group whose tickets it controls in the end; itself if it is no control."""
    above = {}
    for run in runs.values():
        source = runs.get(run.controls.run) if run.controls else None
        above[run.group] = source.group if source else run.group
    heads = dict(above)
    for _ in above:  # controls of controls; at most as many steps as there are groups
        if all(above[head] == head for head in heads.values()):
            break
        heads = {group: above[head] for group, head in heads.items()}
    return heads


def _dense(runs: Iterable[RunView]) -> dict[str, dict[int, LevelView]]:
    """By family, the dense levels to compare with, by seed."""
    families: dict[str, list[RunView]] = {}
    for run in runs:
        families.setdefault(run.family, []).append(run)
    return {
        family: {seed: run.dense for seed, run in baseline.dense(members).items() if run.dense}
        for family, members in families.items()
    }


def _has(run: RunView, label: str, words: Sequence[str]) -> bool:
    facts = (run.run_id, label, run.experiment, run.status, run.sparsifier, run.dataset, run.model)
    text = " ".join((*facts, f"s{run.seed}")).lower()
    return all(word in text for word in words)


def _tinted(row: Row, colour: str) -> Row:
    """The row with its name in its group's colour."""
    return replace(row, cells=(replace(row.cells[0], tone=colour), *row.cells[1:]))
