"""All runs, grouped by all but seed, fold and draw, with what each group is measured against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean as mean
from typing import TYPE_CHECKING

from engine.repetition import Repetition
from lthtui import baseline
from lthtui.table import Cell

if TYPE_CHECKING:
    from lthtui.runview import LevelView, RunView

GLYPHS = {
    "running": "●",
    "queued": "◌",
    "finished": "✓",
    "failed": "✗",
    "stopped": "■",
    "paused": "‖",
    "lost": "?",
}
GROUP = "group:"  # begins the key of a group's row


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed, fold or draw of images only, in the order of these.

    Attributes:
        label: tells it from others of its name.
        dense: by repetition, the dense level that its runs are measured against.
        control: whether it stands under the group that it controls.
        under: the ids of the groups that its runs are nested under in MLflow, the outermost first.
    """

    id: str
    label: str
    runs: tuple[RunView, ...]
    dense: Mapping[Repetition, LevelView] = field(default_factory=dict)
    control: bool = False
    under: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The key of its row; a single run stands for its group."""
        return GROUP + self.id if len(self.runs) > 1 else self.runs[0].run_id

    @property
    def created(self) -> float:
        """When its newest run was queued."""
        return max(run.created for run in self.runs)


@dataclass(frozen=True)
class Board:
    """Everything that the screens show about runs.

    Attributes:
        runs: by id.
        groups: newest first, each followed by its controls and by what is nested under it.
        colours: of each group's id, `#rrggbb`.
        unreadable: how many run folders have a spec that can't be read.
        trouble: what is wrong with the MLflow store, in one line.
        since: when the store was last read, in seconds since 1970, while it is in trouble.
        remark: what of the store is not read yet, or never will be, in one line.
    """

    runs: Mapping[str, RunView] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    colours: Mapping[str, str] = field(default_factory=dict)
    unreadable: int = 0
    trouble: str = ""
    since: float | None = None
    remark: str = ""

    @property
    def counts(self) -> Counter[str]:
        """How many runs there are of each status."""
        return Counter(run.status for run in self.runs.values())

    def members(self, key: str | None) -> tuple[RunView, ...]:
        """The runs that a row stands for."""
        if key in self.runs:
            return (self.runs[key or ""],)
        group = self._groups_by_key.get(key or "")
        return group.runs if group else ()

    def group_of(self, key: str | None) -> Group | None:
        """The group of a row."""
        members = self.members(key)
        return self._groups_by_id.get(members[0].group) if members else None

    def folds(self, group: Group) -> bool:
        """Whether other rows stand under a group's."""
        return len(group.runs) > 1 or any(group.id in one.under for one in self.groups)

    @cached_property
    def _groups_by_key(self) -> dict[str, Group]:
        return {group.key: group for group in self.groups}

    @cached_property
    def _groups_by_id(self) -> dict[str, Group]:
        return {group.id: group for group in self.groups}


def board(
    runs: Mapping[str, RunView],
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    unreadable: int = 0,
    trouble: str = "",
    before: Sequence[Group] = (),
) -> Board:
    """Group runs; `labels` names groups (by id) whose runs' name does not do.

    A name to show that all runs of a group were given counts more.

    Groups that are as they were `before` are taken from there.
    """
    known = {group.id: group for group in before}
    members: dict[str, list[RunView]] = {}
    for run in runs.values():
        members.setdefault(run.group, []).append(run)
    dense, heads, above = _dense(runs.values()), _heads(runs), _above(runs)
    groups = []
    for id, found in members.items():
        ordered = tuple(sorted(found, key=lambda run: (run.repetition, run.run_id)))
        oldest = min(found, key=lambda run: (run.created, run.run_id))
        label = _shown_as(found) or labels.get(id) or oldest.name
        base = dense.get(found[0].family, {})
        group = Group(id, label, ordered, base, heads[id] != id, _chain(above, id))
        groups.append(known[id] if known.get(id) == group else group)
    groups.sort(key=lambda group: (-group.created, group.id))
    newest = {group.id: group.created for group in groups}
    groups.sort(key=lambda group: (-newest[heads[group.id]], heads[group.id], group.control))
    return Board(runs, tuple(nested(groups)), colours, unreadable, trouble)


def nested(groups: Iterable[Group]) -> list[Group]:
    """Groups as they come, each followed by those nested under it that are among them."""
    groups = list(groups)
    known = {group.id for group in groups}
    below: dict[str, list[Group]] = {}
    for group in groups:
        place = next((id for id in reversed(group.under) if id in known), "")
        below.setdefault(place, []).append(group)
    if len(below) < 2:
        return groups
    ordered: list[Group] = []
    waiting = below.get("", [])[::-1]
    while waiting:
        ordered.append(waiting.pop())
        waiting += below.get(ordered[-1].id, [])[::-1]
    return ordered


def settled(runs: Sequence[RunView], kept: float | None = None) -> Sequence[RunView]:
    """The runs whose results count together: those that are done, or all before one is.

    What others picked is the best so far, and would move what is known for good.

    Args:
        kept: results at about this share of weights are meant; those of a run beyond it stay.
    """
    done = [run for run in runs if run.done or (kept is not None and run.beyond(kept))]
    return done or runs


def gain(
    runs: Sequence[RunView], dense: Mapping[Repetition, LevelView], kept: float | None = None
) -> float | None:
    """What picked levels have over dense: on test images, or where unknown on validation's.

    Args:
        dense: by repetition, the levels that stand for dense; see `baseline.dense`.
        kept: not what was picked, but what keeps about this share of weights; see `RunView.meant`.
    """
    won = {run.repetition: level for run in runs if (level := run.meant(kept))}
    if all(dense.get(one) is level for one, level in won.items()):
        return None
    for split in ("test", "val"):
        mine = {one: level.scored(split) for one, level in won.items()}
        base = {one: level.scored(split) for one, level in dense.items()}
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
        if abs(count) < 999.5:
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


def _shown_as(runs: Sequence[RunView]) -> str:
    """The name to show that somebody gave all of the runs; empty where there is none."""
    names = {run.display_name for run in runs}
    return names.pop() if len(names) == 1 else ""


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


def _above(runs: Mapping[str, RunView]) -> dict[str, str]:
    """By group, the group that its runs are nested under; of those that are, and where it is."""
    groups = {run.stored: run.group for run in runs.values() if run.stored}
    return {
        run.group: groups[run.parent]
        for run in runs.values()
        if run.parent in groups and groups[run.parent] != run.group
    }


def _chain(above: Mapping[str, str], id: str) -> tuple[str, ...]:
    """The groups over a group, the outermost first; none where they go round in a circle."""
    found: list[str] = []
    at = id
    while at in above:
        at = above[at]
        if at in found:
            return ()
        found.append(at)
    return tuple(reversed(found))


def _dense(runs: Iterable[RunView]) -> dict[str, dict[Repetition, LevelView]]:
    """By family, the dense levels to compare with, by repetition."""
    families: dict[str, list[RunView]] = {}
    for run in runs:
        families.setdefault(run.family, []).append(run)
    return {
        family: {one: run.dense for one, run in baseline.dense(members).items() if run.dense}
        for family, members in families.items()
    }
