"""Differences seed by seed, against SciPy and published sample sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from engine.repetition import Repetition
from lthtui import paired
from lthtui.paired import Difference


def by_seed(*values):
    return {Repetition(seed=seed): value for seed, value in enumerate(values)}


@pytest.mark.parametrize("n", [2, 3, 12])
def test_the_interval_and_the_test_are_scipys(n):
    rng = np.random.default_rng(n)
    mine, other = rng.normal(0.7, 0.01, n), rng.normal(0.69, 0.02, n)
    found = Difference.of(by_seed(*mine.tolist()), by_seed(*other.tolist()))
    known = stats.ttest_rel(mine, other)
    assert found.finding.p == pytest.approx(known.pvalue)
    assert found.interval == pytest.approx(known.confidence_interval(0.95))
    assert found.spread.deviation == pytest.approx((mine - other).std(ddof=1))


def test_folds_make_the_interval_wider():
    folds = [Repetition(folds=2, fold=fold, seed=seed) for fold in (0, 1) for seed in (0, 1)]
    mine = dict(zip(folds, [0.52, 0.54, 0.51, 0.55], strict=True))
    found = Difference.of(mine, dict.fromkeys(folds, 0.5))
    reach = stats.t.ppf(0.975, 3) * math.sqrt((1 / 4 + 1) * 0.001 / 3)  # one fold trains the other
    assert found.interval == pytest.approx((0.03 - reach, 0.03 + reach))
    p = stats.t.sf(0.03 / math.sqrt((1 / 4 + 1) * 0.001 / 3), 3) * 2
    assert found.finding.p == pytest.approx(p)
    assert found.needed(0.03) is None  # what folds share no number of seeds makes up for


@pytest.mark.parametrize(("effect", "n"), [(1.0, 10), (0.8, 15), (0.5, 34), (0.2, 199)])
def test_seeds_for_a_power_of_80_percent_are_those_of_tables(effect, n):
    """G*Power's sample sizes of the two-sided paired t-test at 0.05."""
    found = Difference.of(by_seed(1.0, 2.0, 3.0), by_seed(0.0, 0.0, 0.0))  # a deviation of 1
    assert found.needed(effect) == n
    assert found.needed(effect, threshold=0.01) > n


def test_nobody_can_tell_how_many_seeds_no_effect_takes():
    found = Difference.of(by_seed(1.0, 2.0, 3.0), by_seed(0.0, 0.0, 0.0))
    assert found.needed(0.0) is None and found.needed(-1.0) is None
    assert found.needed(0.01) is None  # it takes about 78,000


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.5, 0.5]])
def test_too_few_or_equal_ones_say_nothing(values):
    found = Difference.of(by_seed(*values), by_seed(*[0.25 for _ in values]))
    assert found.interval is None and not found.more and not found.less
    assert found.needed(0.1) is None and found.finding.why
    told = paired.described(found)
    assert (told["interval"], told["p"], told["n"]) == (None, None, len(values))
    assert told["mean"] == (0.25 if values else None)


def test_only_what_stays_significant_beside_the_others_is_more_or_less():
    none, weak = by_seed(0.0, 0.0, 0.0), by_seed(1.0, 1.4, 1.9)
    less, untested = by_seed(-0.20, -0.22, -0.21), by_seed(1.0)
    p = stats.ttest_1samp([1.0, 1.4, 1.9], 0).pvalue
    assert 0.025 < p < 0.05
    [alone] = paired.corrected([Difference.of(weak, none)])
    assert alone.finding.holm == pytest.approx(p) and alone.more
    found = paired.corrected(Difference.of(one, none) for one in (weak, less, weak, untested))
    assert [one.more for one in found] == [False] * 4  # 2 p is above 0.05
    assert [one.less for one in found] == [False, True, False, False]
    assert found[0].finding.holm == pytest.approx(2 * p) and found[3].finding.holm is None
