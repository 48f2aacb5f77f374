"""Which level is the winning ticket."""

from __future__ import annotations

from collections.abc import Sequence

from engine.events import LevelEnded, Winning
from engine.spec import SelectSpec


def metric(select: SelectSpec, ended: LevelEnded) -> float:
    """What a level scores on the split and by the measure that decide."""
    value = getattr(ended, f"{select.split}_{select.metric}")
    return float("-inf") if value is None else float(value)


def winner(select: SelectSpec, levels: Sequence[LevelEnded]) -> LevelEnded | None:
    """The picked level so far; ties go to the sparser, and then to the later.

    It is one of the sparse levels if there are any. Where nothing is pruned it is one of those
    after the first, as it would be with pruning. Searches count only while there is nothing else.
    """
    if isinstance(select.level, int):
        return next((ended for ended in levels if ended.level == select.level), None)
    found = [ended for ended in levels if not ended.search] or list(levels)
    sparse = [ended for ended in found if ended.kept < ended.total]
    candidates = sparse or found[1:] or found
    if not candidates:
        return None
    if select.level == "last":
        return candidates[-1]
    return max(candidates, key=lambda ended: (metric(select, ended), -ended.kept, ended.level))


def winning(
    select: SelectSpec, levels: Sequence[LevelEnded], tickets: dict[int, str]
) -> Winning | None:
    """Describe the picked level; `beats_dense` compares a sparse one with dense on `split`.

    Args:
        tickets: level -> path of its ticket within the run's folder, where it is kept.
    """
    won = winner(select, levels)
    if won is None or won.level is None:
        return None
    whole = (ended for ended in levels if ended.kept == ended.total and not ended.search)
    dense = next(whole, None)
    beats = None
    if dense is not None and won.kept < won.total:
        beats = metric(select, won) > metric(select, dense)
    return Winning(
        level=won.level,
        density=won.density,
        val_accuracy=won.val_accuracy,
        test_accuracy=won.test_accuracy,
        ticket=tickets.get(won.level),
        beats_dense=beats,
    )
