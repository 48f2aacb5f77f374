"""Scores against scikit-learn's measures, and what scoring must leave alone."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss
from torch import Tensor, nn

from engine import evaluation, images
from engine.evaluation import Judge, Score, score
from engine.images import Geometry, Images

GEOMETRY = Geometry(6, "pad", 0, (), (0.4, 0.5), (0.2, 0.3))
CLASSES = tuple("abcde")


def _images(count: int, seed: int = 0) -> Images:
    """Noise whose class `e` has no image and whose class `a` has most."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 256, (count, 2, 6, 6), dtype=torch.uint8, generator=rng)
    y = torch.randint(0, 4, (count,), generator=rng) * (torch.rand(count, generator=rng) < 0.5)
    return Images(x, y, tuple(map(str, range(count))), CLASSES)


def _net() -> nn.Module:
    """Batch normalisation whose running statistics are far from those of a batch."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(3)
    nn.init.normal_(norm.running_mean, 1.0)  # type: ignore[arg-type]
    nn.init.uniform_(norm.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    return nn.Sequential(nn.Conv2d(2, 3, 3), norm, nn.ReLU(), nn.Flatten(), nn.Linear(48, 5))


def _score(net: nn.Module, split: Images) -> Score:
    def off() -> torch.autocast:
        return torch.autocast("cpu", enabled=False)

    return score(net, split, GEOMETRY, Judge(nn.functional.cross_entropy, off))


def _logits(net: nn.Module, split: Images) -> Tensor:
    """One image at a time, from the formulas of normalisation and of batch norm in use."""
    mean, std = (torch.tensor(v).view(1, 2, 1, 1) for v in (GEOMETRY.mean, GEOMETRY.std))
    net = deepcopy(net).eval()
    with torch.no_grad():
        return torch.cat([net((one[None].float() / 255 - mean) / std) for one in split.x])


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("per_batch", [1, 7, 10**6])
def test_scores_equal_scikit_learns_whatever_the_batch(
    per_batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "PIXELS_PER_BATCH", per_batch * 72)
    net, split = _net(), _images(50)
    logits, y = _logits(net, split), split.y.numpy()
    predicted = logits.argmax(1).numpy()
    found = _score(net, split)
    assert (found.correct, found.total) == (accuracy_score(y, predicted, normalize=False), 50)
    assert found.accuracy == accuracy_score(y, predicted)
    assert found.balanced == pytest.approx(balanced_accuracy_score(y, predicted), rel=1e-12)
    expected = log_loss(y, logits.double().softmax(1).numpy(), labels=range(5))
    assert found.loss == pytest.approx(expected, rel=1e-6)
    assert found.accuracy != pytest.approx(found.balanced, abs=1e-3)


def test_scoring_leaves_the_network_as_it_was() -> None:
    net = _net().train()
    before = deepcopy(net.state_dict())
    _score(net, _images(20))
    assert net.training and net[1].training
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    net(images.normalise(_images(4).x, GEOMETRY)).sum().backward()  # no inference tensors stayed
    net.eval()
    _score(net, _images(20))
    assert not net.training
