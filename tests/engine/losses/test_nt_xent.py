"""NT-Xent against its formula, and the projection that it trains with."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from engine.losses import nt_xent
from engine.losses.nt_xent import Settings

NONE = torch.zeros(3, dtype=torch.int64)


def projections() -> torch.Tensor:
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_as_equation_1_says(temperature):
    """l(i, j) = -log(exp(s_ij / t) / sum over k != i of exp(s_ik / t)), over all six pairs."""
    z, total = projections(), 0.0
    for i, j in [(0, 3), (3, 0), (1, 4), (4, 1), (2, 5), (5, 2)]:
        cosines = {k: functional.cosine_similarity(z[i], z[k], dim=0) for k in range(6)}
        scaled = {k: (c / temperature).exp() for k, c in cosines.items() if k != i}
        total -= (scaled[j] / sum(scaled.values())).log()
    found = nt_xent.loss(Settings(temperature=temperature), z, NONE)
    torch.testing.assert_close(found, total / 6)


def test_a_hit_is_an_image_whose_other_view_is_nearest():
    z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1], [-1.0, -0.2]])
    assert nt_xent.hits(Settings(), z, NONE[:2]).tolist() == [True, False]


def test_the_projection_is_there_only_in_training():
    head = nt_xent.head(Settings(projection=7), 5, 10)
    x = torch.randn(3, 5)
    assert head(x).shape == (3, 7)
    assert torch.equal(head.eval()(x), x)
    assert sum(p.numel() for p in head.parameters()) == 5 * 5 + 5 + 5 * 7 + 7
