"""The vote of the nearest against scikit-learn's, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from engine import neighbours
from engine.neighbours import Neighbours


def test_each_votes_by_how_near_it_is():
    asked = Neighbours.of(torch.tensor([[2.0, 0.0], [0.0, 5.0]]), torch.tensor([1, 0]), 3)
    shares = asked(torch.tensor([[3.0, 4.0]])).exp()
    one, other = math.exp(0.6 / 0.07), math.exp(0.8 / 0.07)
    expected = torch.tensor([[other, one, 0.0]]) / (one + other)
    torch.testing.assert_close(shares, expected, atol=1e-6, rtol=1e-5)


def test_the_vote_is_exact_whatever_the_networks_arithmetic():
    rng = torch.Generator().manual_seed(0)
    asked = Neighbours.of(torch.randn(50, 8, generator=rng), torch.arange(50) % 4, 4)
    x = torch.randn(5, 8, generator=rng)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(asked(x), asked(x.float())) and asked(x).dtype == torch.float32
        inside = asked(x)
    assert torch.equal(inside, asked(x))


def test_features_of_half_precision_vote_by_what_they_are_exactly():
    """As networks give them under autocast: their lengths and angles are not rounded again."""
    rng = torch.Generator().manual_seed(0)
    train, x = torch.randn(50, 8, generator=rng).bfloat16(), torch.randn(5, 8, generator=rng)
    half, whole = (Neighbours.of(f, torch.arange(50) % 4, 4) for f in (train, train.float()))
    assert half.directions.dtype == torch.float32
    expected = whole(x.bfloat16().float())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(half(x.bfloat16()), expected)
    assert torch.equal(half(x.bfloat16()), expected)


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_the_classes_are_those_of_scikit_learn(most, monkeypatch):
    monkeypatch.setattr(neighbours, "MOST", most)
    rng = torch.Generator().manual_seed(0)
    train, test = torch.randn(80, 6, generator=rng), torch.randn(40, 6, generator=rng)
    y = torch.randint(0, 4, (80,), generator=rng)

    def weights(distances):
        return np.exp((1 - distances) / neighbours.TEMPERATURE)

    count = min(most, 80)
    reference = KNeighborsClassifier(count, metric="cosine", weights=weights).fit(train, y)
    found = Neighbours.of(train, y, 4)(test)
    assert found.argmax(1).tolist() == reference.predict(test).tolist()
    assert np.allclose(found.exp(), reference.predict_proba(test), atol=1e-4)
