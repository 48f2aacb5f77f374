"""Verdicts of sanity checks, against intervals and p values from SciPy."""

from __future__ import annotations

import json

import pytest
from scipy import stats

from engine.repetition import Repetition
from lthtui import sanity

TICKET = [0.80, 0.82, 0.84, 0.83]


def by_seed(values):
    return {Repetition(seed=seed): value for seed, value in enumerate(values)}


def less(*differences):
    """Controls that are worse than the ticket by so much, by seed."""
    return by_seed(one - by for one, by in zip(TICKET, differences, strict=False))


def checked(margin=0.01, **controls):
    found = sanity.checks(by_seed(TICKET), controls, {}, margin)
    return {one.kind: one for one in found}


def _power(n, effect, threshold=0.05):
    """Of the two-sided paired t-test, by the noncentral t distribution."""
    far, shift = stats.t.ppf(1 - threshold / 2, n - 1), effect * n**0.5
    return stats.nct.sf(far, n - 1, shift) + stats.nct.cdf(-far, n - 1, shift)


def test_a_ticket_that_is_significantly_better_needs_what_the_control_lacks():
    found = checked(same_layer=less(0.05, 0.06, 0.05, 0.07))["same_layer"]
    p = stats.ttest_1samp([0.05, 0.06, 0.05, 0.07], 0).pvalue
    assert found.difference.finding.holm == pytest.approx(p) and p < 0.05
    assert (found.verdict, found.why, found.seeds) == ("needed", "", None)


def test_it_does_as_well_where_the_whole_interval_is_below_the_margin():
    close = [0.004, -0.003, 0.002, -0.001]
    found = checked(reinit=less(*close))["reinit"]
    high = stats.ttest_1samp(close, 0).confidence_interval(0.95).high
    assert found.difference.interval[1] == pytest.approx(high) and high < 0.01
    assert found.verdict == "not needed"
    assert checked(margin=high - 1e-4, reinit=less(*close))["reinit"].verdict == "not known"
    better = checked(reinit=less(-0.05, -0.06, -0.05, -0.07))["reinit"]
    assert better.verdict == "not needed"


def test_no_significance_is_no_proof_of_being_as_good():
    found = checked(shuffle=less(0.03, -0.02, 0.04, 0.01))["shuffle"]
    assert found.difference.finding.holm > 0.05 and found.verdict == "not known"
    assert (
        found.why
        == "4 pairs; about 27 would tell with a power of 80 %, at this difference and spread"
    )
    power = [_power(n, 0.015 / 0.02646) for n in (26, 27)]
    assert power[0] < 0.8 < power[1] and found.seeds == 27


def test_what_is_significant_alone_may_not_be_among_many():
    weak = less(0.05, 0.02, 0.06, 0.01)
    assert checked(random=weak)["random"].verdict == "not known"
    strong = less(0.05, 0.03, 0.06, 0.02)
    p = stats.ttest_1samp([0.05, 0.03, 0.06, 0.02], 0).pvalue
    assert 0.05 / 3 < p < 0.05
    assert checked(random=strong)["random"].verdict == "needed"
    among = checked(random=strong, erk=strong, uniform=strong)
    assert [among[kind].verdict for kind in ("random", "erk", "uniform")] == ["not known"] * 3
    n, effect = among["random"].seeds, among["random"].difference.mean / 0.0182574
    assert _power(n - 1, effect, 0.05 / 3) < 0.8 < _power(n, effect, 0.05 / 3)


def test_what_is_close_takes_as_many_as_show_that_it_is_below_the_margin():
    found = checked(shuffle=less(0.011, -0.009, 0.011, -0.009))["shuffle"]
    assert found.difference.mean == pytest.approx(0.001) and found.verdict == "not known"
    effect = (0.01 - 0.001) / 0.011547
    assert _power(found.seeds - 1, effect) < 0.8 < _power(found.seeds, effect)


@pytest.mark.parametrize(
    ("differences", "why"),
    [
        ([0.05], "1 pair: one seed in common; a test needs two"),
        ([0.25, 0.25, 0.25], "3 pairs: the same difference in all seeds"),
        ([0.0, 0.0, 0.0], "3 pairs: the same difference in all seeds"),
    ],
)
def test_too_few_seeds_or_no_spread_tell_nothing(differences, why):
    found = checked(labels=less(*differences))["labels"]
    assert (found.verdict, found.why, found.seeds) == ("not known", why, None)


def test_a_wide_interval_around_the_margin_may_take_too_many():
    found = checked(margin=0.0, labels=less(0.1, -0.1, 0.1, -0.1001))["labels"]
    assert (
        found.why
        == "4 pairs; 1000 would not tell with a power of 80 %, at this difference and spread"
    )


def test_a_sentence_sums_up_and_all_is_json():
    controls = {
        "same_layer": less(0.05, 0.06, 0.05, 0.07),
        "reinit": less(0.004, -0.003, 0.002, -0.001),
        "shuffle": less(0.004, -0.003, 0.002, -0.001),
        "erk": less(0.05),
    }
    found = sanity.checks(by_seed(TICKET), controls, {"erk": ["b", "c"], "labels": ["a"]})
    assert sanity.said(found) == (
        "The ticket is worse with places drawn anew in each layer (same_layer);"
        " is as good, within 1 point, with first weights drawn anew (reinit) and first weights"
        " exchanged in each layer (shuffle); may or may not be worse with places drawn anew,"
        " layers as dense as ERK (erk); was not tried with random, uniform and labels."
    )
    told = {one["kind"]: one for one in map(sanity.described, found)}
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["labels"]["difference"] is None and told["labels"]["missing"] == ["a"]
    assert (told["erk"]["verdict"], told["erk"]["missing"]) == ("not known", ["b", "c"])
    assert told["same_layer"]["difference"]["mean"] == pytest.approx(0.0575)
