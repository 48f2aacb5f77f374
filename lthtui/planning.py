"""What a spec file would do, as `lthtui plan` shows it: settings, levels, steps, time and disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.plan import Level, Planned
from engine.schema import params_of
from lthtui.costs import Cost, Measurement
from lthtui.labels import told_apart
from lthtui.readying import Ready


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seed, fold or draw of images only.

    Attributes:
        differs: dotted fields and values in which it differs from the spec's other groups.
        measured: what its steps take here; None if nothing was measured.
        cost: the estimate for one of its runs.
    """

    runs: tuple[Ready, ...]
    differs: dict[str, str]
    measured: Measurement | None = None
    cost: Cost | None = None

    @property
    def first(self) -> Ready:
        """One of the runs, to speak for all."""
        return self.runs[0]


def groups(runs: Sequence[Ready]) -> list[Group]:
    """Gather runs by their settings, in the order of the file."""
    gathered: dict[str, list[Ready]] = {}
    for run in runs:
        gathered.setdefault(run.spec.group, []).append(run)
    params = {group: params_of(members[0].spec) for group, members in gathered.items()}
    for one in params.values():
        for field in ("seed", "data.seed", "data.fold"):
            del one[field]
    differs = told_apart(params)
    return [Group(tuple(members), differs[group]) for group, members in gathered.items()]


def describe(group: Group) -> dict[str, Any]:
    """A group as JSON.

    `kept`, `seconds` and bytes are null where nothing was measured; `density` and `kept` also where
    only training will tell.
    """
    run, cost = group.first, group.cost
    return {
        "name": run.spec.name,
        "group": run.spec.group,
        "seeds": [one.spec.seed for one in group.runs],
        "repetitions": [one.spec.repetition.told for one in group.runs],
        "differs": group.differs,
        "images": {"train": run.images.train, "val": run.images.val, "test": run.images.test},
        "classes": len(run.images.classes),
        "steps_per_epoch": run.plan.steps_per_epoch,
        "steps": run.plan.steps,
        "epochs": run.plan.epochs,
        "levels": levels(group),
        "measured": group.measured.model_dump() if group.measured else None,
        "seconds": cost.seconds if cost else None,
        "disk_bytes": cost.disk_bytes if cost else None,
        "peak_bytes": cost.peak_bytes if cost else None,
    }


def levels(group: Group) -> list[dict[str, Any]]:
    """The levels of a group's runs, as JSON and the table show them."""
    plan = group.first.plan
    kept = group.measured.kept if group.measured else ()
    return [
        {
            "level": planned.level.index,
            "density": planned.level.density,
            "kept": kept[index] if index < len(kept) else None,
            "epochs": planned.steps / plan.steps_per_epoch,
            "steps": planned.steps,
            "weights_from": _weights_from(planned.level),
            "learning_rate": _learning_rate(planned, plan.steps_per_epoch),
        }
        for index, planned in enumerate(plan.levels)
    ]


def table(group: Group) -> list[str]:
    """Lines of a table of the levels; levels alike but for their density are given in full."""
    rows = [list(COLUMNS)]
    for one in levels(group):
        density = "-" if one["density"] is None else f"{one['density']:.4f}"
        kept = "-" if one["kept"] is None else f"{one['kept']:,}"
        rows.append(
            [
                str(one["level"]),
                density,
                kept,
                f"{one['epochs']:g}",
                f"{one['steps']:,}",
                one["weights_from"],
                one["learning_rate"],
            ]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return ["  ".join(_cells(row, widths)).rstrip() for row in rows]


def duration(seconds: float) -> str:
    """`25.6 ms`, `3.3 s`, `26 s`, `4 min 10 s`, `3 h 20 min`, `2 d 4 h`."""
    whole = round(seconds)
    if seconds < 0.9995:
        return f"{1000 * seconds:.3g} ms"
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{whole} s"
    for size, unit, inner, small in _UNITS:
        if whole >= size:
            rest = whole % size // inner
            return f"{whole // size} {unit} {rest} {small}" if rest else f"{whole // size} {unit}"
    raise AssertionError("a minute is the smallest unit")


def size(count: float) -> str:
    """Bytes in decimal units: `3.2 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


COLUMNS = ("level", "density", "kept", "epochs", "steps", "weights from", "learning rate")
_UNITS = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


def _weights_from(level: Level) -> str:
    if level.index == 0:
        return "init"
    return "level before" if level.start is None else str(level.start)


def _learning_rate(planned: Planned, per_epoch: int) -> str:
    if planned.level.learning_rate == "last":
        return "last of the schedule"
    first = f"{planned.first / per_epoch:g}"
    return f"schedule, epochs {first} to {planned.end / per_epoch:g}"


def _cells(row: list[str], widths: list[int]) -> list[str]:
    text = COLUMNS.index("weights from")
    return [
        cell.ljust(width) if column >= text else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
