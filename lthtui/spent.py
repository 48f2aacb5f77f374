"""What it took to have a level: its run, and the runs whose tickets that starts from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine import schema
from lthtui.runview import LevelView, RunView

ASIDE = ("evaluate.",)  # settings that name tickets only to look at them


@dataclass(frozen=True)
class Spent:
    """Sums over levels; None where not known of all of them.

    Attributes:
        training_flops: operations.
        seconds: of the clock.
        device_seconds, joules: see `LevelView`.
        others: ids of the other runs whose cost is in the sums.
        unknown: ids of those that are not known here, and so left out.
    """

    training_flops: float | None
    seconds: float | None
    device_seconds: float | None
    joules: float | None
    others: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def spent(run: RunView, levels: Iterable[LevelView], known: Mapping[str, RunView]) -> Spent:
    """What some levels of a run took, with all that was trained for what it starts from.

    Args:
        known: runs by id.
    """
    wanted: dict[str, int | None] = {}
    _gather(run, known, wanted)
    wanted.pop(run.run_id, None)
    there = {one: last for one, last in wanted.items() if one in known}
    trained = [*levels]
    for one, last in there.items():
        trained += _up_to(known[one].ended_levels, last)
    return Spent(
        total(level.training_flops for level in trained),
        total(level.seconds for level in trained),
        total(level.device_seconds for level in trained),
        total(level.joules for level in trained),
        tuple(there),
        tuple(one for one in wanted if one not in there),
    )


def total(values: Iterable[float | None]) -> float | None:
    """The sum; None where one of them is not known."""
    known = [*values]
    return None if None in known else sum(value for value in known if value is not None)


def _up_to(levels: Sequence[LevelView], last: int | None) -> list[LevelView]:
    """The levels that were trained to have one of them; all, where it was picked among them."""
    return [level for level in levels if last is None or level.index <= last]


def _gather(run: RunView, known: Mapping[str, RunView], wanted: dict[str, int | None]) -> None:
    """Note up to which level runs were trained for what a run starts from, and they from."""
    for source, last in _sources(run):
        if source in wanted:
            before = wanted[source]
            wanted[source] = None if before is None or last is None else max(before, last)
            continue
        wanted[source] = last
        if source in known:
            _gather(known[source], known, wanted)


def _sources(run: RunView) -> Iterator[tuple[str, int | None]]:
    """Ids of runs whose tickets a run starts from, with the level that was named, if one was."""
    for name in run.params:
        setting, _, part = name.rpartition(".")
        if part != "sha256" or setting.startswith(ASIDE):
            continue
        source = run.params.get(f"{setting}.run", "")
        if source:
            yield source, schema.digits(run.params.get(f"{setting}.pick", ""))
