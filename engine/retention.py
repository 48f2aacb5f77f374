"""Which levels of a run keep their weights; every level keeps its mask and its record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine import selection
from engine.events import LevelEnded
from engine.levelwords import EVERY, step_of
from engine.spec import SelectSpec


def kept(
    words: Iterable[str], select: SelectSpec, history: Sequence[LevelEnded], over: bool
) -> set[int]:
    """The levels, from 0, whose weights stay.

    Args:
        words: what a spec's `keep` says.
        history: what every level ended with, in order.
        over: whether the run is; until then those of the newest two stay, too: one to start from,
            one to fall back on.
    """
    count = len(history)
    newest = set() if over else set(range(max(0, count - 2), count))
    return newest.union(*(named(word, select, history) for word in words))


def named(word: str | int, select: SelectSpec, history: Sequence[LevelEnded]) -> set[int]:
    """The levels, of those that have ended, that a word or a number names now."""
    if not history:
        return set()
    match word:
        case "best":
            best = selection.winner(select, history)
            return {best.level or 0} if best else set()
        case "last":
            return {len(history) - 1}
        case "dense":
            dense = (index for index, ended in enumerate(history) if ended.kept == ended.total)
            return set(list(dense)[:1])
        case "all":
            return set(range(len(history)))
        case int():
            return {word}.intersection(range(len(history)))
    assert word.startswith(EVERY), word
    return set(range(0, len(history), step_of(word)))
