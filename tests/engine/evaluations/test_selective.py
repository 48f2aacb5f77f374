"""Risk by coverage, against a slow reference and closed forms."""

from __future__ import annotations

import json
from math import ceil

import pytest
import torch
from repeating import repeating, saying
from torch.nn.functional import one_hot

from engine.evaluations import selective


def evaluated(context, logits, y, scale=0.05, **settings):
    made = context(repeating(scale), saying(logits, y))
    found = selective.evaluate(selective.Settings(**settings), made)
    assert json.loads(json.dumps(found.files, allow_nan=False)) == found.files
    return found.metrics, found.files["selective.json"]


def test_areas_and_accuracies_are_those_of_sorting_by_confidence(context):
    gaps = torch.randperm(120, generator=torch.Generator().manual_seed(4))
    wrong = (torch.arange(120) * 7) % 13 < 4
    found, document = evaluated(context, torch.stack([gaps + 1, 0 * gaps], 1), wrong.long())
    ordered = [bool(wrong[at]) for at in sorted(range(120), key=lambda at: -int(gaps[at]))]
    risks = [sum(ordered[:n]) / n for n in range(1, 121)]
    mistakes = sum(ordered)
    best = [max(0, n - (120 - mistakes)) / n for n in range(1, 121)]
    assert found["aurc"] == pytest.approx(sum(risks) / 120)
    assert found["excess aurc"] == pytest.approx((sum(risks) - sum(best)) / 120)
    for coverage in (0.8, 0.9, 1.0):
        told = found[f"accuracy at {coverage:g}"]
        assert told == pytest.approx(1 - risks[ceil(coverage * 120) - 1])
    assert len(document["curve"]) == 100 and document["images"] == 120
    assert document["curve"][0] == {"coverage": 2 / 120, "risk": risks[1]}  # 1 % is reached by two
    assert document["curve"][-1] == {"coverage": 1, "risk": pytest.approx(mistakes / 120)}
    assert document["curve"][49] == {"coverage": 0.5, "risk": pytest.approx(risks[59])}


def test_images_of_equal_confidence_come_in_any_order(context):
    y = torch.arange(40) // 10  # sorted by class
    found, document = evaluated(context, torch.full((40, 4), 3), y)
    assert {one["risk"] for one in document["curve"]} == {0.75} and found["aurc"] == 0.75
    logits, y = (
        torch.tensor([[9, 0], [5, 0], [5, 0], [5, 0], [1, 0]]),
        torch.tensor([0, 1, 0, 0, 1]),
    )
    found, _ = evaluated(context, logits, y, coverages=[0.4])
    # the mistake is second, third or fourth, in a third of the orders each
    assert found["aurc"] == pytest.approx((0 + (1 / 3) / 2 + (2 / 3) / 3 + 1 / 4 + 2 / 5) / 5)
    assert found["accuracy at 0.4"] == pytest.approx(1 - (1 / 3) / 2)


@pytest.mark.parametrize(("shift", "area"), [(0, 0), (1, 1)])
def test_where_all_or_none_is_right_no_order_is_better(context, shift, area):
    y = torch.arange(30) % 3
    logits = one_hot((y + shift) % 3, 3) * torch.arange(10, 40)[:, None]
    found, _ = evaluated(context, logits, y)
    assert (found["aurc"], found["excess aurc"]) == (area, 0)
    assert {found[f"accuracy at {one}"] for one in ("0.8", "0.9", "1")} == {1 - area}


def test_the_best_order_has_no_excess_and_the_worst_has_most(context):
    y = torch.tensor([0, 0, 0, 1])
    best = torch.tensor([[40, 0], [30, 0], [20, 0], [10, 0]])
    found, _ = evaluated(context, best, y)
    assert found["aurc"] == pytest.approx(1 / 16) and found["excess aurc"] == pytest.approx(0)
    found, _ = evaluated(context, best.flip(0), y)
    assert found["aurc"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert found["excess aurc"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 4)


@pytest.mark.parametrize(("coverage", "answered"), [(0.07, 7), (0.071, 8)])
def test_a_coverage_is_reached_by_as_few_images_as_do(context, coverage, answered):
    logits = torch.stack([torch.arange(200, 100, -1), torch.zeros(100)], 1)
    y = (torch.arange(100) >= answered - 1).long()  # wrong from the last one that is answered on
    found, _ = evaluated(context, logits, y, coverages=[coverage])
    assert found[f"accuracy at {coverage:g}"] == pytest.approx(1 - 1 / answered)


def test_the_smallest_coverage_is_one_image(context):
    logits = torch.stack([torch.arange(200, 100, -1), torch.zeros(100)], 1)
    y = (torch.arange(100) < 1).long()  # the most confident one alone is wrong
    found, _ = evaluated(context, logits, y, coverages=[1e-9])
    assert found["accuracy at 1e-09"] == 0
