"""What a search tries next: by hand for densities, by repetition for samplers."""

import math
from itertools import islice

import pytest

from lthtui.proposals import best, met, next_points, rounds
from lthtui.search import Density, Search

OVER = {"alpha": [0.1, 0.6], "interval": {"low": 50, "high": 1000, "step": 50, "unit": "it"}}


def searched(of, **settings):
    """All rounds of a search whose trials score `of(values)`, and its remark."""
    proposals, asked = rounds(Search.model_validate(settings)), []
    batch = next(proposals)
    while True:
        asked.append(batch)
        try:
            batch = proposals.send([of(values) for values in batch])
        except StopIteration as end:
            return asked, end.value


def density(of, **settings):
    """As `searched`, for a search over `x`; the values alone."""
    goal = {"density": settings.pop("target", 0.5), "tolerance": 0.01}
    asked, remark = searched(lambda values: of(values["x"]), goal=goal, **settings)
    return [[values["x"] for values in batch] for batch in asked], remark


# ---- densities


@pytest.mark.parametrize(
    ("tried", "count", "expected"),
    [
        ({}, 1, [0]),
        ({0: 0.1}, 1, [1]),
        ({}, 2, [0, 1]),
        ({}, 3, [0, 0.5, 1]),
        ({0: 0.1, 1: 0.9}, 1, [0.5]),
        ({0: 0.1, 1: 0.9}, 3, [0.5]),  # the first round of three is made up first
        # it may fall as well as rise; log odds: (0 - ln 7/3) / (ln 1/9 - ln 7/3) = 0.27830
        ({0: 0.9, 0.5: 0.7, 1: 0.1}, 3, [0.639151, 0.75, 0.875]),
        ({0: 0.1, 0.5: 0.501, 1: 0.9}, 1, [0.375]),  # never nearer than a quarter to an end
        ({0: 0.1, 1: 0.4}, 2, []),  # the target lies outside
        ({0: 0.1, 0.5: 0.2, 1: 0.4}, 3, []),
        # twice inside: where it came nearer; ln 9 / (ln 9 + ln 4) = 0.613147
        ({0: 0.1, 0.5: 0.9, 1: 0.2}, 1, [0.806574]),
        ({0: 0.1, 0.5: None, 1: 0.9}, 1, [0.333333]),  # a failure says nothing of its neighbours
        ({0: 0.1, 0.5: None, 1: 0.9}, 3, [0.2, 0.4, 0.6]),
        ({0: None, 0.5: 0.3, 1: 0.1}, 1, [0.25]),  # the target may lie beside a failure
        ({0: None, 1: None}, 1, []),
        ({0.1: 0.1, 0.100001: 0.9}, 3, []),  # nothing finer can be written with six digits
    ],
)
def test_where_a_density_is_looked_for_next(tried, count, expected):
    ends = (min(tried, default=0), max(tried, default=1)) if len(tried) > 1 else (0, 1)
    assert next_points(tried, ends, 0.5, count) == expected


def test_one_at_a_time_ends_when_the_density_is_near_enough():
    asked, remark = density(lambda x: x**2, over={"x": [0, 1]}, at_once=1, target=0.3)
    assert asked[:2] == [[0], [1]] and remark == ""
    assert abs(asked[-1][0] ** 2 - 0.3) <= 0.003 and len(asked) <= 9


def test_a_steep_density_is_found_in_few_trials():
    def gates(x):
        return 1 / (1 + math.exp(-400 * (x - 0.0007)))

    for at_once, most in ((1, 9), (2, 10), (3, 12)):
        asked, remark = density(gates, over={"x": [-0.5, 0.5]}, at_once=at_once, target=0.1)
        assert remark == "" and sum(map(len, asked)) <= most


def test_rounds_of_three_shrink_the_range():
    asked, _ = density(lambda x: x**2, over={"x": [0, 1]}, at_once=3, target=0.3)
    assert asked[0] == [0, 0.5, 1] and asked[1][1:] == [0.75, 0.875] and 0.5 < asked[1][0] < 0.6
    assert len(asked) <= 4


def test_a_jump_is_followed_until_the_trials_are_used_up():
    asked, remark = density(lambda x: 0.1 if x < 0.3 else 0.9, over={"x": [0, 1]}, trials=8)
    assert [len(batch) for batch in asked] == [3, 3, 2]
    assert remark == "8 trials did not meet a density of 0.5; raise trials"


def test_a_range_that_does_not_reach_the_density_says_so():
    _, remark = density(lambda x: 0.1 + 0.1 * x, over={"x": [0, 2]})
    assert remark == "x from 0 to 2 gives densities from 10.00% to 30.00%; widen over"
    assert density(lambda x: None, over={"x": [0, 2]})[1] == "every trial failed"


@pytest.mark.parametrize(
    ("density", "enough"), [(0.105, True), (0.095, True), (0.106, False), (0.094, False)]
)
def test_how_far_off_a_density_may_be_is_a_share_of_it(density, enough):
    assert met(Density(density=0.1, tolerance=0.0501), density) is enough
    assert not met(Density(density=0.1), None)


def test_the_nearest_density_is_the_best():
    search = Search.model_validate({"over": {"x": [0, 1]}, "goal": {"density": 0.3}})
    assert best(search, [0.1, None, 0.35, 0.9]) == 2
    assert best(search, [None]) is None


# ---- accuracies


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_proposals_follow_from_the_scores_alone(sampler):
    def hill(values):
        return None if values["alpha"] < 0.2 else -abs(values["alpha"] - 0.3)

    asked, remark = searched(hill, over=OVER, sampler=sampler)
    assert searched(hill, over=OVER, sampler=sampler) == (asked, remark) and remark == ""
    assert [len(batch) for batch in asked] == [3, 3, 3, 3, 3]
    assert searched(hill, over=OVER, sampler=sampler, seed=1)[0] != asked
    every = [values for batch in asked for values in batch]
    assert all(0.1 <= values["alpha"] <= 0.6 for values in every)
    assert all(float(f"{values['alpha']:.6g}") == values["alpha"] for values in every)
    assert {values["interval"] for values in every} <= {f"{n}it" for n in range(50, 1001, 50)}


def test_tpe_learns_from_the_scores_and_random_does_not():
    def rounds_of(sampler, sign):
        asked, _ = searched(lambda v: sign * v["alpha"], over=OVER, sampler=sampler, trials=30)
        return asked

    assert rounds_of("random", 1) == rounds_of("random", -1)
    up, down = rounds_of("tpe", 1), rounds_of("tpe", -1)
    assert up[:4] == down[:4] != up[4:8]  # the first ten are drawn at random
    last = [[values["alpha"] for batch in asked[4:] for values in batch] for asked in (up, down)]
    assert sum(last[0]) / 18 > sum(last[1]) / 18 + 0.15


def test_a_grid_is_all_combinations_in_their_order():
    over = {"a": {"low": 0.1, "high": 0.3, "step": 0.1}, "b": ["er", "erk"]}
    asked, _ = searched(lambda values: 0.0, over=over, sampler="grid", at_once=4)
    assert [(v["a"], v["b"]) for batch in asked for v in batch] == [
        (0.1, "er"), (0.1, "erk"), (0.2, "er"), (0.2, "erk"), (0.3, "er"), (0.3, "erk")
    ]  # fmt: skip
    assert [len(batch) for batch in asked] == [4, 2]
    some, _ = searched(lambda values: 0.0, over=over, sampler="grid", trials=3)
    assert some == [asked[0][:3]]


def test_choices_and_logarithms_are_sampled():
    over = {"b": {"choices": [1, 2.5, "x"]}, "lr": {"low": 1e-4, "high": 1, "log": True}}
    asked, _ = searched(lambda values: 0.0, over=over, sampler="random", trials=60, at_once=60)
    assert {values["b"] for values in asked[0]} == {1, 2.5, "x"}
    small = sum(values["lr"] < 0.01 for values in asked[0])
    assert 15 < small < 45  # half of the range by logarithm, a hundredth without


def test_the_first_of_equal_trials_is_the_best():
    search = Search.model_validate({"over": OVER})
    assert best(search, [0.5, None, 0.7, 0.7]) == 2


def test_optuna_keeps_quiet(capfd):
    list(islice(rounds(Search.model_validate({"over": OVER})), 1))
    assert capfd.readouterr() == ("", "")
