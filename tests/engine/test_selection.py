"""Which level wins."""

from __future__ import annotations

from engine import selection
from engine.events import LevelEnded
from engine.spec import SelectSpec


def _levels(*scores: tuple[int, float, float]) -> list[LevelEnded]:
    return [
        LevelEnded(
            level=index, density=kept / 100, kept=kept, total=100, epochs=1, seconds=1.0,
            val_accuracy=val, test_accuracy=test, val_balanced_accuracy=1 - val,
        )
        for index, (kept, val, test) in enumerate(scores)
    ]  # fmt: skip


LEVELS = _levels((100, 0.90, 0.80), (80, 0.88, 0.99), (64, 0.91, 0.70), (51, 0.91, 0.60))


def _won(levels: list[LevelEnded] = LEVELS, **select: object) -> int | None:
    won = selection.winner(SelectSpec.model_validate(select), levels)
    return won.level if won else None


def test_the_best_on_validation_wins_and_ties_go_to_the_sparser() -> None:
    assert _won() == 3


def test_searches_on_the_way_to_the_ticket_are_neither_picked_nor_dense() -> None:
    """Unless there is nothing else yet, or one is named."""
    levels = [e.model_copy(update={"search": e.level != 2}) for e in LEVELS[:3]]
    assert _won([*levels, *LEVELS[3:]]) == 3
    assert _won(levels, level="last") == _won(levels, split="test") == 2
    assert _won(levels[:2]) == 1 and _won(levels, level=1) == 1
    picked = selection.winning(SelectSpec(), levels, {})
    assert picked is not None and picked.beats_dense is None


def test_other_splits_metrics_and_levels() -> None:
    assert _won(split="test") == 1
    assert _won(metric="balanced_accuracy") == 1
    assert _won(level="last") == 3
    assert _won(level=0) == 0


def test_dense_wins_only_where_nothing_is_sparse() -> None:
    assert _won(_levels((100, 0.9, 0.9), (80, 0.1, 0.1))) == 1
    assert _won(_levels((100, 0.9, 0.9))) == 0
    assert _won([]) is None


def test_beats_dense_is_said_on_the_selecting_split() -> None:
    val = selection.winning(SelectSpec(), LEVELS, {3: "levels/03/ticket.safetensors"})
    assert val is not None and val.beats_dense is True
    assert val.ticket == "levels/03/ticket.safetensors"
    worse = selection.winning(SelectSpec(), _levels((100, 0.9, 0.1), (80, 0.8, 0.9)), {})
    assert worse is not None and worse.beats_dense is False and worse.ticket is None
    alone = selection.winning(SelectSpec(), _levels((20, 0.9, 0.9)), {})
    assert alone is not None and alone.beats_dense is None


def test_where_nothing_is_pruned_a_retraining_is_picked_that_is_no_winner() -> None:
    levels = _levels((100, 0.95, 0.9), (100, 0.90, 0.9), (100, 0.92, 0.9), (100, 0.92, 0.8))
    assert _won(levels) == 3
    assert _won(levels, level=0) == 0
    picked = selection.winning(SelectSpec(), levels, {})
    assert picked is not None and (picked.level, picked.beats_dense) == (3, None)
