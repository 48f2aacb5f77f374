"""Calibration, against scikit-learn, slow references and closed forms."""

from __future__ import annotations

import json
from itertools import pairwise
from math import exp, log

import pytest
import torch
from repeating import Repeats, repeating, saying
from scipy.optimize import minimize_scalar
from sklearn import metrics as reference
from torch.nn.functional import one_hot

from engine.errors import Diverged
from engine.evaluations import calibration
from engine.evaluations.calibration import HOTTEST

SCALE = 0.25


@pytest.fixture
def drawn():
    """Logits in quarters and classes of images: test and validation, right rather often."""
    rng = torch.Generator().manual_seed(2)
    y = torch.randint(5, (600,), generator=rng)
    logits = torch.randint(30, (600, 5), generator=rng)
    logits[torch.arange(600), y] += 8
    return (logits[:400], y[:400]), (logits[400:], y[400:])


def evaluated(context, test, val=None, scale=SCALE, **settings):
    made = context(repeating(scale), saying(*test), val=saying(*val) if val else None)
    found = calibration.evaluate(calibration.Settings(**settings), made)
    assert json.loads(json.dumps(found.files, allow_nan=False)) == found.files
    return found.metrics, found.files["calibration.json"]


def slow_ece(probabilities, y, bins):
    """Guo et al.'s bins, one by one."""
    total = 0.0
    for at in range(bins):
        inside = [
            (float(p.max()), int(p.argmax()) == int(c))
            for p, c in zip(probabilities, y, strict=True)
            if at / bins < float(p.max()) <= (at + 1) / bins
        ]
        if inside:
            confidence = sum(one for one, _ in inside) / len(inside)
            accuracy = sum(right for _, right in inside) / len(inside)
            total += len(inside) / len(y) * abs(accuracy - confidence)
    return total


def test_scores_are_those_of_references(context, drawn):
    test, _ = drawn
    found, document = evaluated(context, test)
    logits, y = test[0].double() * SCALE, test[1]
    p = logits.softmax(1)
    assert found["nll"] == pytest.approx(reference.log_loss(y, p, labels=range(5)))
    brier = sum(reference.mean_squared_error(one_hot(y, 5)[:, k], p[:, k]) for k in range(5))
    assert found["brier"] == pytest.approx(brier)
    assert found["ece"] == pytest.approx(slow_ece(p, y, 15))
    right = reference.accuracy_score(y, p.argmax(1))
    assert found["overconfidence"] == pytest.approx(p.amax(1).mean().item() - right)
    bins = document["test"]["bins"]
    assert len(bins) == 15 and sum(one["images"] for one in bins) == 400
    assert [one["to"] for one in bins] == pytest.approx([(k + 1) / 15 for k in range(15)])
    assert bins[0] == {"above": 0, "to": 1 / 15, "images": 0, "confidence": None, "accuracy": None}
    assert "temperature" not in found and document["scaled"] is None


def test_adaptive_bins_have_as_many_images(context):
    rng = torch.Generator().manual_seed(3)
    order = torch.randperm(200, generator=rng)
    logits = torch.stack([torch.arange(200) + 20, torch.zeros(200)], 1)[order]
    y = (torch.rand(200, generator=rng) < 0.3).long()
    found, document = evaluated(context, (logits, y), scale=0.01, bins=7)
    told = document["test"]["adaptive bins"]
    confidence = (logits.double() * 0.01).softmax(1)[:, 0]
    ranked, ends = confidence.argsort(), [k * 200 // 7 for k in range(8)]
    parts = [ranked[low:high] for low, high in pairwise(ends)]
    assert [one["images"] for one in told] == [28, 29, 28, 29, 28, 29, 29]
    apart = [abs((y[part] == 0).double().mean() - confidence[part].mean()) for part in parts]
    expected = sum(len(part) * one for part, one in zip(parts, apart, strict=True)) / 200
    assert found["adaptive ece"] == pytest.approx(float(expected), rel=1e-5)


def test_equal_confidences_share_a_bin_in_whatever_order_images_are(context):
    y = torch.arange(100) // 20  # sorted by class, as image sets in folders are
    found, document = evaluated(context, (torch.full((100, 5), 9), y), (torch.ones(10, 5), y[:10]))
    assert found["ece"] == found["adaptive ece"] == pytest.approx(0)
    assert (found["nll"], found["brier"]) == (pytest.approx(log(5)), pytest.approx(0.8))
    assert sum(one["images"] > 0 for one in document["test"]["adaptive bins"]) == 1
    assert found["temperature"] == 1


def test_more_bins_than_images_do(context):
    test = torch.tensor([[8, 0], [2, 0], [0, 4]]), torch.ones(3).long()
    found, document = evaluated(context, test, bins=50)
    confident = [1 / (1 + exp(-gap * SCALE)) for gap in (8, 2, 4)]
    apart = confident[0] + confident[1] + 1 - confident[2]
    assert found["adaptive ece"] == pytest.approx(apart / 3) == found["ece"]
    ends = [one["to"] for one in document["test"]["adaptive bins"]]
    assert len(ends) == 50 and ends == sorted(ends)


def test_the_temperature_is_the_best_on_validation_images(context, drawn):
    test, val = drawn
    found, document = evaluated(context, test, val)

    def nll(temperature):
        p = (val[0].double() * SCALE / temperature).softmax(1)
        return reference.log_loss(val[1], p, labels=range(5))

    best = minimize_scalar(nll, bounds=(0.1, 10), method="bounded", options={"xatol": 1e-9})
    assert found["temperature"] == document["temperature"] == pytest.approx(best.x, rel=1e-5)
    p = (test[0].double() * SCALE / best.x).softmax(1)
    assert found["scaled nll"] == pytest.approx(reference.log_loss(test[1], p, labels=range(5)))
    assert found["scaled ece"] == pytest.approx(slow_ece(p, test[1], 15), abs=1e-6)
    assert document["scaled"]["overconfidence"] == found["scaled overconfidence"]


def test_a_temperature_in_closed_form(context):
    y = torch.tensor([0] * 9 + [1])  # the same logits always, right in 9 of 10
    logits = torch.tensor([[16, 0]]).expand(10, 2)
    found, _ = evaluated(context, (logits, y), (logits, y))
    assert found["temperature"] == pytest.approx(4 / log(9), rel=1e-7)
    assert found["overconfidence"] == pytest.approx(1 / (1 + exp(-4)) - 0.9)
    assert found["scaled ece"] == pytest.approx(0, abs=1e-8)
    assert found["scaled nll"] == pytest.approx(-0.9 * log(0.9) - 0.1 * log(0.1))


def test_a_network_that_is_always_wrong_has_an_extreme_temperature(context):
    y = torch.arange(12) % 3
    shown = one_hot((y + 1) % 3, 3) * 8
    found, _ = evaluated(context, (shown, y), (shown, y))
    assert found["temperature"] == pytest.approx(HOTTEST, rel=1e-6)
    assert found["overconfidence"] > 0.7 and found["scaled nll"] < found["nll"]


@pytest.mark.parametrize("margin", [8, 200])
def test_validation_images_that_are_all_right_fit_no_temperature(context, margin):
    y = torch.arange(12) % 3
    val, test = one_hot(y, 3) * margin, one_hot(y.where(y > 0, y + 1), 3) * 8
    found, document = evaluated(context, (test, y), (val, y))
    assert found["overconfidence"] > 0 and not {one for one in found if "scaled" in one}
    assert document["temperature"] is document["scaled"] is None and "temperature" not in found


@pytest.mark.parametrize("said", ["nan", "inf", "-inf"])
def test_a_network_without_numbers_is_refused(context, said):
    images = saying(torch.ones(4, 2), torch.zeros(4).long())
    made = context(Repeats, images, logits=lambda *given: torch.full((4, 2), float(said)))
    with pytest.raises(Diverged, match="level 0 says NaN or infinite of some images"):
        calibration.evaluate(calibration.Settings(), made)
