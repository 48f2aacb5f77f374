"""Tests of groups against one another, against SciPy and figures worked out by hand."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from lthtui import significance
from lthtui.significance import Finding, deviation, holm, mean

TABLE = {"paired": stats.ttest_rel, "unpaired": lambda a, b: stats.ttest_ind(a, b, equal_var=False)}


def compared(mine, other, kind="paired"):
    return significance.test(dict(enumerate(mine)), dict(enumerate(other)), kind)


@pytest.mark.parametrize("kind", TABLE)
@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_t_tests_are_scipys(kind, n):
    rng = np.random.default_rng(n)
    mine, other = rng.normal(0.7, 0.01, n), rng.normal(0.69, 0.03, n)
    found = compared(mine.tolist(), other.tolist(), kind)
    assert found.p == pytest.approx(TABLE[kind](mine, other).pvalue, rel=1e-9)
    assert found.difference == pytest.approx(mine.mean() - other.mean())
    assert found.n == n


@pytest.mark.parametrize("n", [3, 6, 10, 40])
def test_wilcoxon_without_ties_is_scipys_exact_one(n):
    rng = np.random.default_rng(n)
    mine, other = rng.normal(0.7, 0.02, n), rng.normal(0.69, 0.02, n)
    found = compared(mine.tolist(), other.tolist(), "wilcoxon")
    assert found.p == pytest.approx(stats.wilcoxon(mine - other, method="exact").pvalue)


def test_wilcoxon_with_ties_counts_all_signs():
    differences = [1, 1, 2, -1, 3, 3, -2, 0]
    found = compared(differences, [0] * 8, "wilcoxon")
    ranks = [2, 2, 4.5, 2, 6.5, 6.5, 4.5]  # of all but the zero
    sums = [sum(r for r, up in zip(ranks, ups, strict=True) if up)
            for ups in product((0, 1), repeat=7)]  # fmt: skip
    assert found.p == pytest.approx(2 * sum(one <= 2 + 4.5 for one in sums) / 2**7)
    assert found.n == 7


def test_to_wilcoxon_rounding_is_no_difference():
    assert compared([0.1 + 0.2, 0.5, 0.6], [0.3, 0.4, 0.4], "wilcoxon").n == 2


def test_pairs_are_of_the_seeds_in_common():
    mine, other = {0: 0.9, 1: 0.8, 2: 0.1}, {1: 0.7, 0: 0.85, 9: 0.0}
    found = significance.test(mine, other, "paired")
    assert found.n == 2 and found.difference == pytest.approx((0.05 + 0.1) / 2)
    assert found.p == pytest.approx(2 * (0.5 - math.atan(0.075 / 0.025) / math.pi))  # one degree
    assert significance.test({0: 1.0}, {1: 1.0}, "paired").why == "no seed in common"
    assert significance.test({0: 1.0, 1: 1.1}, {2: 1.0, 3: 1.2}, "unpaired").p is not None


def test_pairs_that_share_training_images_are_worth_less():
    mine, other = dict(enumerate([0.52, 0.54, 0.51, 0.55])), dict.fromkeys(range(4), 0.5)
    found = significance.test(mine, other, "paired", overlap=1.0)  # of two folds
    # mean 0.03, variance 0.001 / 3, so t^2 = 0.0009 / ((1/4 + 1) * 0.001 / 3) = 2.16
    part = math.sqrt(2.16 / 3)  # the distribution function of three degrees has a closed form
    p = 1 - 2 / math.pi * (part / (1 + part**2) + math.atan(part))
    assert found.p == pytest.approx(p) and p == pytest.approx(0.237986, abs=1e-6)
    assert found.n == 4 and significance.test(mine, other, "paired").p < 0.05


def test_unpaired_groups_may_have_different_sizes():
    mine, other = [0.7, 0.72, 0.75, 0.71], [0.6, 0.66]
    found = significance.test(dict(enumerate(mine)), dict(enumerate(other)), "unpaired")
    assert found.p == pytest.approx(stats.ttest_ind(mine, other, equal_var=False).pvalue)
    assert found.n == 2


@pytest.mark.parametrize("kind", ["paired", "wilcoxon", "unpaired"])
def test_one_seed_and_equal_values_say_nothing(kind):
    one = compared([0.9], [0.8], kind)
    assert one.p == (1.0 if kind == "wilcoxon" else None)
    assert one.difference == pytest.approx(0.1) and one.why
    same = compared([0.9, 0.9, 0.9], [0.9, 0.9, 0.9], kind)
    assert same.p is None and same.difference == 0 and same.why


def test_the_same_difference_in_all_seeds_is_no_certainty():
    found = compared([0.3, 0.9, 0.93], [0.2, 0.8, 0.83])  # but for rounding
    assert found.p is None and found.why == "the same difference in all seeds"
    assert found.difference == pytest.approx(0.1)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", ["paired", "wilcoxon", "unpaired"])
def test_what_is_no_number_is_not_left_out(bad, kind):
    found = compared([0.9, 0.91, bad], [0.8, 0.85, 0.82], kind)
    assert found.p is None and found.why == "a value is no number"


def test_a_bad_value_of_a_seed_that_does_not_count_does_no_harm():
    found = significance.test({0: 0.9, 1: 0.8, 2: math.nan}, {0: 0.7, 1: 0.75}, "paired")
    assert found.p is not None and found.n == 2


def test_too_few_pairs_for_wilcoxon_are_said():
    few = compared([0.9, 0.92, 0.93, 0.95, 0.97], [0.8, 0.81, 0.83, 0.84, 0.82], "wilcoxon")
    assert few.p == 2 / 2**5 and few.why == "5 pairs: p is at least 0.062"
    six = compared([0.9, 0.92, 0.93, 0.95, 0.97, 0.99], [0.8] * 6, "wilcoxon")
    assert six.p == 2 / 2**6 and six.why == ""


def test_holm_by_hand():
    found = holm(
        [Finding(0, 5, 0.01), None, Finding(0, 5, 0.04), Finding(0, 5), Finding(0, 5, 0.03)]
    )
    assert [one and one.holm for one in found] == [0.03, None, 0.06, None, 0.06]
    assert [one.stars for one in found if one] == ["*", "", "", ""]
    assert holm([Finding(0, 5, 0.7), Finding(0, 5, 0.6)])[0].holm == 1.0
    assert [one.stars for one in holm([Finding(0, 5, 0.0004), Finding(0, 5, 0.004)])] == [
        "***",
        "**",
    ]


def test_means_and_deviations():
    assert (mean([1.0, 2.0, 6.0]), deviation([1.0, 2.0, 6.0])) == (3.0, pytest.approx(7**0.5))
    assert math.isnan(mean([1.0, math.inf])) and math.isnan(deviation([math.inf, -math.inf]))
