"""One layer's mask update by hand: drops, growth, ties, blocks, and values of new connections."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.sparsifiers import _updates


def _rng() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_the_least_live_weights_go_and_the_highest_scores_come() -> None:
    alive = torch.tensor([1, 1, 1, 1, 0, 0, 0, 0]).bool()
    magnitude = torch.tensor([4.0, 1.0, 3.0, 2.0, 0.0, 0.0, 0.0, 0.0])
    score = torch.tensor([9.0, 0.1, 9.0, 0.2, 5.0, 1.0, 7.0, 6.0])
    done = _updates.exchange(alive, magnitude, 2, score, 2)
    assert done.stayed.tolist() == [True, False, True, False, False, False, False, False]
    assert done.alive.nonzero().flatten().tolist() == [0, 2, 6, 7]


def test_a_weight_just_dropped_may_grow_again() -> None:
    alive = torch.tensor([[True, True], [True, False]])
    magnitude = torch.tensor([[4.0, 1.0], [3.0, 0.0]])
    done = _updates.exchange(alive, magnitude, 2, torch.tensor([[0.0, 9.0], [1.0, 5.0]]), 2)
    assert done.alive.tolist() == [[True, True], [False, True]]
    assert done.stayed.tolist() == [[True, False], [False, False]]


def test_a_layer_may_grow_more_or_less_than_it_drops() -> None:
    alive = torch.tensor([True, True, True, False, False])
    values = torch.tensor([3.0, 2.0, 1.0, 0.0, 0.0])
    score = torch.tensor([0.0, 0.0, 0.0, 1.0, 2.0])
    assert _updates.exchange(alive, values, 2, score, 0).alive.tolist() == [True] + [False] * 4
    assert _updates.exchange(alive, values, 0, score, 2).alive.all()


def test_ties_go_to_the_earlier_position() -> None:
    alive = torch.tensor([True, True, True, False, False, False])
    done = _updates.exchange(alive, torch.ones(6), 1, torch.zeros(6), 1)
    assert done.stayed.tolist() == [True, True, False, False, False, False]
    assert done.alive.tolist() == [True, True, True, False, False, False]


def test_a_block_has_one_magnitude() -> None:
    weight = torch.tensor([[1.0, -2.0, 3.0, 0.0], [-5.0, 1.0, 1.0, 1.0]]).view(2, 1, 2, 2)
    assert _updates.reduced(weight, "channel", "mean").tolist() == [[1.5], [2.0]]
    assert _updates.reduced(weight, "channel", "max").tolist() == [[3.0], [5.0]]
    assert _updates.reduced(weight, "channel", "min").tolist() == [[0.0], [1.0]]
    assert torch.equal(_updates.reduced(weight, "weight", "mean"), weight.abs())
    flat = weight.view(2, 4)
    assert torch.equal(_updates.reduced(flat, "channel", "mean"), flat.abs())


def test_units_become_weights_and_weights_units() -> None:
    units = torch.tensor([[True, False, True]])
    mask = _updates.spread(units, torch.Size((1, 3, 2, 2)))
    assert mask.flatten(2).sum(-1).tolist() == [[4, 0, 4]]
    assert torch.equal(_updates.gathered(mask, "channel"), units)
    assert torch.equal(_updates.gathered(mask, "weight"), mask)
    assert torch.equal(_updates.spread(mask, mask.shape), mask)


def _values(how: _updates.GrowInit, size: int = 2000) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    weight = torch.randn(size, generator=_rng()) * 3 + 1
    alive = torch.arange(size) % 4 == 0
    start, gradient = torch.arange(size).float(), torch.randn(size, generator=_rng())
    values = _updates.initial_values(how, weight * alive, alive, start, gradient, _rng())
    return values, weight[alive], start, gradient


def test_new_connections_start_from_zero_the_gradient_or_its_sign() -> None:
    assert not _values("zeros")[0].any()
    values, _, _, gradient = _values("gradient")
    assert torch.equal(values, gradient)
    assert torch.equal(_values("sign")[0], gradient.sign())


def test_new_connections_from_the_initial_weights_are_those_in_another_order() -> None:
    values, _, start, _ = _values("initial")
    assert not torch.equal(values, start) and torch.equal(values.sort().values, start)


def test_random_new_connections_are_as_large_as_the_live_weights() -> None:
    values, live, _, _ = _values("normal", 40_000)
    assert float(values.mean()) == pytest.approx(0.0, abs=0.06)
    assert float(values.std()) == pytest.approx(float(live.std()), rel=0.02)
    values, live, _, _ = _values("uniform", 40_000)
    bound = float(live.abs().mean())
    assert float(values.abs().max()) <= bound
    assert float(values.std()) == pytest.approx(bound / 3**0.5, rel=0.02)
