"""Critical sets and settling masks by hand: who is chosen and why, and when a search ends."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.forgetting import NEVER_LEARNED, NOT_SHOWN
from engine.images import Images
from engine.masks import Mask
from engine.sparsifiers import _critical
from engine.sparsifiers._critical import CriticalSet
from engine.sparsifiers._early_bird import EarlyBird, distance

NAMES = ("cat", "dog", "eel")


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _images(labels: list[int]) -> Images:
    ids = tuple(f"i{n}" for n in range(len(labels)))
    return Images(torch.zeros(len(labels), 1, 2, 2).byte(), torch.tensor(labels), ids, NAMES)


def _bools(*positions: int, of: int = 6) -> Tensor:
    return torch.tensor([i in positions for i in range(of)])


def test_images_forgotten_more_often_than_the_threshold_are_hard() -> None:
    counts = torch.tensor([0, 1, 3, NEVER_LEARNED, NOT_SHOWN, 2])
    assert _critical.forgotten(counts, 0).nonzero().flatten().tolist() == [1, 2, 3, 5]
    assert _critical.forgotten(counts, 2).nonzero().flatten().tolist() == [2, 3]


def test_the_most_forgotten_images_are_as_many_as_asked_but_shown() -> None:
    counts = torch.tensor([0, 1, 3, NEVER_LEARNED, NOT_SHOWN, 2])
    assert _critical.most_forgotten(counts, 3, _rng()).nonzero().flatten().tolist() == [2, 3, 5]
    assert not _critical.most_forgotten(counts, 0, _rng()).any()
    assert int(_critical.most_forgotten(counts, 6, _rng()).sum()) == 5


def test_ties_are_drawn_by_lot_and_not_by_position() -> None:
    counts = torch.zeros(100, dtype=torch.int32)
    one, again, other = (_critical.most_forgotten(counts, 50, _rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert 10 < int(one[:50].sum()) < 40


def test_classes_with_too_few_images_are_filled_up_with_the_most_forgotten_of_the_others() -> None:
    images = _images([0, 0, 0, 0, 1, 1, 1, 2])
    counts = torch.tensor([0, 2, 1, 0, 9, 9, 9, NOT_SHOWN])
    chosen = _bools(0, 4, 5, of=8)
    added = _critical.fill_up(chosen, counts, images, 2, _rng())
    assert added.nonzero().flatten().tolist() == [1, 7]
    all_of_it = _critical.fill_up(torch.zeros(8).bool(), counts, images, 99, _rng())
    assert all_of_it.all()
    assert not _critical.fill_up(torch.ones(8).bool(), counts, images, 99, _rng()).any()


def test_a_set_says_how_many_and_why() -> None:
    images = _images([0, 0, 0, 1, 1, 2])
    counts = torch.tensor([3, NEVER_LEARNED, 0, 0, NOT_SHOWN, 0])
    found = CriticalSet(_bools(0, 1), _bools(1, 4), _bools(5), counts)
    assert found.ids.tolist() == [0, 1, 4, 5]
    metrics = found.metrics(images)
    assert metrics["critical"] == 4 and metrics["critical_share"] == 4 / 6
    assert [metrics[f"class/{name}"] for name in NAMES] == [2, 1, 1]
    reasons = ("hard", "pie", "hard_and_pie", "added", "never_learned")
    assert [metrics[name] for name in reasons] == [2, 2, 1, 1, 1]
    rows = found.document(images, {"level": 3})["images"]
    keys = ("id", "class", "why", "forgotten", "learned")
    assert list(zip(*(rows[key] for key in keys), strict=True)) == [
        ("i0", "cat", "hard", 3, True),
        ("i1", "cat", "both", 0, False),
        ("i4", "dog", "pie", None, None),
        ("i5", "eel", "added", 0, True),
    ]
    assert Counter(rows["why"]) == {"hard": 1, "both": 1, "pie": 1, "added": 1}


def _mask(text: str) -> Mask:
    alive = torch.tensor([letter == "1" for letter in text])
    return Mask({"a": alive[:2], "b": alive[2:].view(2, -1)})


def test_the_distance_counts_weights_in_one_mask_only() -> None:
    assert distance(_mask("110100"), _mask("110100"), 3) == 0
    assert distance(_mask("110100"), _mask("011100"), 3) == 2 / 3
    assert distance(_mask("110000"), _mask("001100"), 4) == 1


def _walk(bird: EarlyBird, moves: list[int], counts: Any = lambda epoch: True) -> list[bool]:
    """Show masks of 20 out of 40 weights; each differs from the one before in `2 * move`."""
    position, settled = 0, []
    for epoch, move in enumerate([0, *moves]):
        position += move
        alive = torch.zeros(60, dtype=torch.bool)
        alive[position : position + 20] = True
        bird.look(Mask({"w": alive}), 25, counts(epoch))
        settled.append(bird.settled)
    return settled


def test_a_search_ends_once_all_of_a_window_lie_below_the_threshold() -> None:
    bird = EarlyBird(threshold=0.2, window=3)
    # distances .4 .32 .16 .16 .16: the first three below .2 come after the sixth mask
    assert _walk(bird, [5, 4, 2, 2, 2]) == [False] * 5 + [True]
    assert bird.farthest == bird.distance == 4 / 25


def test_a_mask_that_has_not_moved_yet_is_not_settled() -> None:
    still = EarlyBird(threshold=0.2, window=2)
    assert _walk(still, [0, 1, 0, 0, 1]) == [False] * 6
    assert still.farthest == 1
    # the distance that wakes it is recorded, and has to leave the window again
    assert _walk(EarlyBird(0.2, 2), [0, 0, 0, 3, 1, 1]) == [False] * 6 + [True]


def test_a_distance_as_large_as_the_threshold_neither_wakes_nor_settles() -> None:
    assert _walk(EarlyBird(0.16, 1), [2, 1, 1]) == [False] * 4
    assert _walk(EarlyBird(0.16, 1), [3, 2, 1]) == [False, False, False, True]


def test_what_wakes_it_may_be_less_than_what_must_settle() -> None:
    assert _walk(EarlyBird(0.2, 2, wake=0), [0, 0, 1, 0]) == [False] * 4 + [True]
    assert not any(_walk(EarlyBird(0.2, 2, wake=0), [0, 0, 0, 0]))
    assert not any(_walk(EarlyBird(0.2, 2, wake=0.5), [5, 1, 1, 1]))


def test_epochs_that_do_not_count_can_wake_but_fill_no_window() -> None:
    early = EarlyBird(threshold=0.2, window=2)
    assert _walk(early, [5, 1, 1, 1, 1], lambda epoch: epoch > 3) == [False] * 5 + [True]


def test_one_epoch_of_a_threshold_of_zero_never_settles() -> None:
    assert not any(_walk(EarlyBird(0, 1), [5, 0, 0, 0]))


@pytest.mark.parametrize("cut", range(7))
def test_state_goes_on_where_it_was(cut: int) -> None:
    moves = [0, 5, 4, 1, 1, 1]
    whole = EarlyBird(0.2, 2)
    wanted = _walk(whole, moves)
    first, second = EarlyBird(0.2, 2), EarlyBird(0.2, 2)
    position, seen = 0, []
    for epoch, move in enumerate([0, *moves]):
        if epoch == cut:
            second.load_state_dict({name: t.clone() for name, t in first.state_dict().items()})
            first = second
        position += move
        alive = torch.zeros(60, dtype=torch.bool)
        alive[position : position + 20] = True
        first.look(Mask({"w": alive}), 25)
        seen.append((first.settled, first.distance, first.farthest))
    assert [settled for settled, _, _ in seen] == wanted
    assert seen[-1] == (whole.settled, whole.distance, whole.farthest)
