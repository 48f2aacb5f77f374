"""How much of their masks the picked tickets of groups share with a baseline's, by repetition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from engine import packed
from engine.errors import LthError
from engine.rundir import RunDirectory
from lthtui import overlap
from lthtui.contrast import Measure, Measured
from lthtui.rows import Result, Row


def measured(rows: Sequence[Row], base: Row) -> Iterator[Measured]:
    """Overlaps of masks by group and repetition, and those to expect of random masks.

    Only pruned levels whose masks are on disk here count. A baseline that has none gives way to
    the first group that has.
    """
    pruned = (row for row in (base, *rows) if any(_folder(one) for one in row.results))
    base = next(pruned, base)
    theirs = {one.run.repetition: one for one in base.results}
    found = []
    for row in rows:
        mine = {one.run.repetition: one for one in row.results}
        pairs = {which: pair(one, theirs.get(which)) for which, one in mine.items()}
        found.append({which: one for which, one in pairs.items() if one})
    others = [one for row, one in zip(rows, found, strict=True) if row is not base]
    if any(others):
        for at, name in enumerate((f"IoU with {base.label}", "IoU by chance")):
            yield (
                Measure(name, "share"),
                [{which: both[at] for which, both in one.items()} for one in found],
            )


def pair(mine: Result, other: Result | None) -> tuple[float, float] | None:
    """How much two tickets share, and by chance; None of others than `measured` counts."""
    if other is None:
        return None
    folders = [_folder(one) for one in (mine, other)]
    try:
        return _overlap(*folders) if all(folders) else None
    except LthError:  # of another network, or not there any more
        return None


def _folder(one: Result) -> Path | None:
    if not one.run.directory or not one.level.sparse:
        return None
    return RunDirectory(one.run.directory).level(one.level.index)


@lru_cache(4096)
def _overlap(mine: Path, other: Path) -> tuple[float, float] | None:
    """Of two levels, which do not change once they have ended."""
    found = overlap.measure({"mine": packed.of_level(mine), "other": packed.of_level(other)})
    iou, chance = found.iou(0, 1), found.by_chance(0, 1)
    return None if iou is None or chance is None else (iou, chance)
