"""What runs will cost, from what past runs with the same model and data took on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from engine.dataspec import DataSettings
from engine.growth import fixed
from engine.schema import params_of
from lthtui.planning import Group
from lthtui.runview import RunView

_COUNTED = (
    *("fraction", "per_class", "long_tail.kind", "long_tail.factor"),
    *("validation", "folds", "examples"),
)
_SHARED = (
    *("train.batch_size", "train.precision", "train.sam", "train.advprop.steps", "train.ema"),
    "loss.name",
)


@dataclass(frozen=True)
class Forecast:
    """An estimate for one run of a group.

    Attributes:
        seconds: alone on its device; `disk_bytes` are what stays of it, None where no past run
            tells.
        device: where the past runs were, and `runs` how many there were.
    """

    seconds: float
    disk_bytes: int | None
    device: str
    runs: int


def forecast(group: Group, past: Iterable[RunView], devices: frozenset[str]) -> Forecast | None:
    """Estimate a run from past ones.

    Args:
        devices: names of those that it may be placed on.

    Returns:
        None if no past run had this model and such data on one of them.
    """
    first = group.first
    params = params_of(first.spec)
    alike = [run for run in past if run.device in devices and _alike(run.params, params)]
    same = [run for run in alike if run.sparsifier == first.spec.sparsifier.name]
    paces = [
        (pace, run) for run in same or alike if (pace := _pace(run, params, first.images.train))
    ]
    if not paces:
        return None
    images = first.plan.epochs * first.images.train
    seconds = images / median(pace for pace, _ in paces)
    return Forecast(seconds, _disk(group, alike), paces[-1][1].device, len(paces))


def _alike(params: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return _speed(params) == _speed(wanted)


def _speed(params: Mapping[str, str]) -> dict[str, str]:
    """The settings that images per second depend on, methods aside."""
    blocks = ("model.", "data.", "augmentation.")
    return {
        key: value
        for key, value in params.items()
        if key in _SHARED or (key.startswith(blocks) and not _draws(key))
    }


def _draws(key: str) -> bool:
    """Whether a setting says which images there are, and not what they are like."""
    block, name = key.split(".")[:2]
    return block == "data" and name in DataSettings.model_fields


def _pace(run: RunView, wanted: Mapping[str, str], train: int) -> float | None:
    """Training images a second: over whole levels where they had as many, or by its own count."""
    levels = [level for level in run.ended_levels if level.seconds and level.epochs]
    seconds = sum(level.seconds or 0.0 for level in levels)
    if seconds and _drawn(run.params) == _drawn(wanted):
        return train * sum(level.epochs for level in levels) / seconds
    return run.pace or None


def _drawn(params: Mapping[str, str]) -> list[str | None]:
    """The settings that the number of images depends on."""
    return [params.get(f"data.{name}") for name in _COUNTED]


def _disk(group: Group, past: Iterable[RunView]) -> int | None:
    """Bytes that a run keeps, by the largest ticket of past ones."""
    tickets = [
        Path(run.directory) / level.ticket
        for run in past
        if run.directory
        for level in run.ended_levels
        if level.ticket
    ]
    sizes = [size for ticket in tickets if (size := _size(ticket))]
    if not sizes:
        return None
    spec, plan = group.first.spec, group.first.plan
    return (spec.most_kept(len(plan.levels)) + (not fixed(spec, plan))) * max(sizes)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
