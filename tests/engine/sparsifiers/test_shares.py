"""What layers drop and grow: exact counts, computed by hand, and invariants over random layers."""

from __future__ import annotations

import random

import pytest
import torch

from engine.sparsifiers import _shares
from engine.sparsifiers._shares import Layer


def test_a_layer_drops_its_share_rounded_up_unless_it_is_full() -> None:
    layers = {"a": Layer(100, 1000), "b": Layer(101, 1000), "c": Layer(1, 9), "full": Layer(50, 50)}
    assert _shares.alike(layers, 0.3) == {"a": (30, 30), "b": (31, 31), "c": (1, 1)}
    assert _shares.alike(layers, 0.0) == {"a": (0, 0), "b": (0, 0), "c": (0, 0)}


def test_rounding_errors_of_shares_drop_nothing_more() -> None:
    assert 0.07 * 100 > 7  # a rounding error
    assert _shares.alike({"a": Layer(100, 1000)}, 0.07) == {"a": (7, 7)}


def test_blocks_are_counted_whole() -> None:
    assert _shares.alike({"a": Layer(90, 900, 9)}, 0.31) == {"a": (4, 4)}  # of 10 blocks


def test_importance_is_the_mean_magnitude_over_live_weights() -> None:
    scores = {"a": torch.tensor([1.0, -3.0, 100.0]), "b": torch.tensor([[6.0], [50.0]])}
    alive = {"a": torch.tensor([True, True, False]), "b": torch.tensor([[True], [False]])}
    assert _shares.importance(scores, alive) == pytest.approx({"a": 2 / 8, "b": 6 / 8})


def test_importance_of_what_says_nothing() -> None:
    scores = {"a": torch.zeros(3), "b": torch.zeros(2)}
    alive = {name: torch.ones_like(s, dtype=torch.bool) for name, s in scores.items()}
    assert _shares.importance(scores, alive) == {"a": 0.0, "b": 0.0}
    scores["a"][0] = float("nan")
    scores["b"][0] = 4.0
    assert _shares.importance(scores, alive) == {"a": 0.0, "b": 1.0}


def test_growth_goes_by_shares_where_there_is_room() -> None:
    room = {"a": 100, "b": 100, "c": 100}
    grown = _shares.regrowth({"a": 0.5, "b": 0.3, "c": 0.2}, 60, room)
    assert grown == pytest.approx({"a": 30, "b": 18, "c": 12})


def test_what_is_too_much_for_a_layer_goes_to_all_alike() -> None:
    # 50 for a, which takes 0.99 * 20 = 19.8. 30.2 are left: a third to each, of which a's goes
    # round again, and so on; in the end b and c have 15.1 more each
    room = {"a": 20, "b": 100, "c": 300}
    grown = _shares.regrowth({"a": 0.5, "b": 0.3, "c": 0.2}, 100, room)
    assert grown == pytest.approx({"a": 19.8, "b": 45.1, "c": 35.1})
    # b has no room for that either: 30 + 10.1 is more than 0.99 * 40
    room["b"] = 40
    grown = _shares.regrowth({"a": 0.5, "b": 0.3, "c": 0.2}, 100, room)
    assert grown == pytest.approx({"a": 19.8, "b": 39.6, "c": 40.6})


def test_layers_without_room_for_the_rule_fill_up_alike() -> None:
    # 30 weights into 31 places: 99 % of them would be 30.69, but one layer's share is its all
    grown = _shares.regrowth({"a": 1.0, "b": 0.0}, 31, {"a": 10, "b": 21})
    assert grown == pytest.approx({"a": 10, "b": 21})


def test_rounding_to_units_is_exact_and_goes_by_remainders() -> None:
    one = {"a": 1, "b": 1, "c": 1}
    room = {"a": 20, "b": 100, "c": 300}
    exact = {"a": 19.8, "b": 45.1, "c": 35.1}
    assert _shares.in_units(exact, one, room, 100) == {"a": 20, "b": 45, "c": 35}
    # blocks of 9, 9 and 1: 2.2, 5.01 and 35.1 of them; 2, 5 and 35 leave 2 weights for c
    block = {"a": 9, "b": 9, "c": 1}
    found = _shares.in_units(exact, block, {"a": 9, "b": 9, "c": 99}, 100)
    assert found == {"a": 2, "b": 5, "c": 36}


def test_nearly_full_layers_that_should_grow_drop_less() -> None:
    shares = {"full": 0.5, "thin": 0.4, "small": 0.1}
    sparsity = {"full": 0.05, "thin": 0.8, "small": 0.1}
    assert _shares.drop_shares(0.3, shares, sparsity) == {"full": 0.05, "thin": 0.3, "small": 0.3}


def test_an_update_with_shared_growth_by_hand() -> None:
    layers = {"a": Layer(40, 100), "b": Layer(60, 300)}
    # drops 12 and 18; a grows 0.9 * 30 and b 0.1 * 30
    assert _shares.shared(layers, 0.3, {"a": 0.9, "b": 0.1}, 0) == {"a": (12, 27), "b": (18, 3)}
    assert _shares.shared(layers, 0.3, {"a": 0.9, "b": 0.1}, 2) == {"a": (12, 29), "b": (18, 3)}


@pytest.mark.parametrize("seed", range(5))
def test_shared_growth_keeps_the_total_and_leaves_no_layer_empty(seed: int) -> None:
    draw = random.Random(seed)
    sizes = [draw.randint(2, 4000) for _ in range(12)]
    layers = {str(i): Layer(draw.randint(1, of), of) for i, of in enumerate(sizes)}
    total = sum(one.kept for one in layers.values())
    for _ in range(40):  # the same layers always gain
        shares = {name: draw.random() ** 6 for name in layers}
        whole = sum(shares.values())
        shares = {name: share / whole for name, share in shares.items()}
        counts = _shares.shared(layers, 0.3, shares, 0)
        layers = {
            name: Layer(one.kept - counts[name][0] + counts[name][1], one.of)
            for name, one in layers.items()
        }
        assert sum(one.kept for one in layers.values()) == total
        assert all(1 <= one.kept <= one.whole for one in layers.values())
