"""The heads that compare directions, and the losses on them, against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from engine.losses import cosine, tvmf
from engine.losses._angles import TVMF, Cosine


def test_the_scale_begins_at_one_and_the_logarithm_of_two():
    head = cosine.head(cosine.Settings(), 3, 2)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[2.0, 0.0, 0.0], [0.0, -3.0, 0.0]]))
    logits = head(torch.tensor([[0.5, 0.0, 0.0], [3.0, 4.0, 0.0]]))
    scale = 1 + math.log(2)
    expected = scale * torch.tensor([[1.0, 0.0], [0.6, -0.8]])
    torch.testing.assert_close(logits, expected)
    assert head.bias is None


@pytest.mark.parametrize(
    ("angle", "similarity"),
    [(-1.0, -1.0), (0.0, -0.9412), (0.5, -0.8333), (0.9, -0.2692), (1.0, 1.0)],
)
def test_t_vmf_similarities_of_kappa_16(angle, similarity):
    found = TVMF(2, 2, kappa=16.0).similarity(torch.tensor(angle))
    assert float(found) == pytest.approx(similarity, abs=5e-5)


def test_without_concentration_it_is_the_cosine():
    head, x = tvmf.head(tvmf.Settings(kappa=0.0), 5, 3), torch.randn(4, 5)
    plain = Cosine(5, 3)
    plain.load_state_dict(head.state_dict())
    torch.testing.assert_close(head(x), plain(x))


@pytest.mark.parametrize("module", [cosine, tvmf])
def test_lengths_change_nothing_but_the_learnt_scale_does(module):
    head, x = module.head(module.Settings(), 6, 4), torch.randn(5, 6)
    before = head(x)
    with torch.no_grad():
        head.weight.mul_(torch.tensor([[0.1], [1.0], [7.0], [100.0]]))
    torch.testing.assert_close(head(100 * x), before)
    with torch.no_grad():
        head.scale.fill_(2.0)
    larger = (1 + math.log1p(math.exp(2.0))) / (1 + math.log(2))
    torch.testing.assert_close(head(x), before * larger)


@pytest.mark.parametrize("module", [cosine, tvmf])
def test_the_loss_is_the_cross_entropy_of_the_logits(module):
    logits, targets = torch.randn(6, 5), torch.tensor([0, 1, 2, 3, 4, 0])
    expected = functional.cross_entropy(logits, targets, label_smoothing=0.1)
    torch.testing.assert_close(
        module.loss(module.Settings(smoothing=0.1), logits, targets), expected
    )


def test_heads_learn_in_double_precision_as_finite_differences_say():
    head = TVMF(4, 3, kappa=4.0).double()
    x = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(head, x)
