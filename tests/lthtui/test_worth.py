"""What a ticket's gain is worth, against figures worked out by hand and SciPy's tests."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from scipy import stats
from scored import level, run, unfinished

from engine.repetition import Repetition
from lthtui import worth, worthwords
from lthtui.identity import Control

DENSE, TICKET, NULL, BUDGET = (
    [0.70, 0.71, 0.72],
    [0.80, 0.82, 0.81],
    [0.73, 0.75, 0.76],
    [0.76, 0.79, 0.77],
)


def ticket(seed, dense=None, test=None):
    """A run that picked level 2 of 3, one of a quarter of the weights, by validation images."""
    scores = {1.0: DENSE[seed] if dense is None else dense, 0.5: 0.5}
    made = run("imp", seed, {**scores, 0.25: TICKET[seed] if test is None else test}, picks="best")
    return replace(made, params={})


def control(kind, seed, test, at=2, kept=0.25, **more):
    """A control of that ticket: one training that keeps as much."""
    of = Control(run=f"imp-s{seed}", level=at, kind=kind)
    more = {"params": {}, "controls": of, **more}
    return replace(run(kind, seed, {kept: test}), **more)


def null(seed, test, flattered=0.0):
    """Three trainings without pruning; the last is picked, test images may like another more."""
    tests = enumerate((DENSE[seed], test + flattered, test))
    levels = tuple(level(at, 1.0, one, val=0.5 + at / 10) for at, one in tests)
    of = Control(run=f"imp-s{seed}", level=2, kind="null")
    return replace(run("null", seed, {}, winner=2, picks="best"), levels=levels, controls=of)


def budget(seed, test):
    return control("budget", seed, test, kept=1.0)


@pytest.fixture
def runs():
    return [ticket(seed) for seed in range(3)]


@pytest.fixture
def split():
    return [
        *(null(seed, test) for seed, test in enumerate(NULL)),
        *(budget(seed, test) for seed, test in enumerate(BUDGET)),
    ]


def find(runs, known=(), **more):
    return worth.found(runs, {one.group: one.group for one in runs}, known, **more)


def only(runs, known=(), **more):
    (found,), notes = find(runs, known, **more)
    return found, notes


def paired_p(mine, other):
    return stats.ttest_rel(mine, other).pvalue


def test_the_gain_is_split_seed_by_seed_and_tested_together(runs, split):
    found, notes = only(runs, [*runs, *split])
    means = {name: one.mean for name, one in found.parts.items()}
    assert means == pytest.approx(
        {
            "gain": 0.1,
            "trainings": 0.11 / 3,
            "length": 0.19 / 3,
            "pruning": 0.19 / 3,
            "over_budget": 0.11 / 3,
        }
    )
    assert means["gain"] == pytest.approx(means["pruning"] + means["trainings"])
    pairs = [(TICKET, DENSE), (NULL, DENSE), (BUDGET, DENSE), (TICKET, NULL), (TICKET, BUDGET)]
    ps = [paired_p(*one) for one in pairs]
    assert [one.finding.p for one in found.parts.values()] == pytest.approx(ps)
    least = min(one.finding.holm for one in found.parts.values())
    assert least == pytest.approx(5 * min(ps))
    assert found.spread("null").mean == pytest.approx(2.24 / 3)
    assert found.missing.keys() == set(worth.sanity.CHECKS) and notes == []


def test_what_levels_are_picked_by_is_what_is_compared(runs):
    """Balanced accuracies lie 0.3 below plain ones, and that of dense 0.4."""
    params = {"select.metric": "balanced_accuracy"}

    def balanced(one):
        levels = tuple(
            replace(at, test_balanced=at.test - (0.3 if at.sparse else 0.4)) for at in one.levels
        )
        return replace(one, levels=levels, params=params)

    controls = [balanced(control("reinit", seed, 0.6)) for seed in range(3)]
    runs = [balanced(one) for one in runs]
    found, _ = only(runs, [*runs, *controls])
    assert found.parts["gain"].mean == pytest.approx(0.1 + 0.1)
    assert found.spread("ticket").mean == pytest.approx(0.81 - 0.3)
    check = next(one for one in found.checks if one.kind == "reinit")
    assert check.difference.mean == pytest.approx(0.81 - 0.6)
    assert worthwords.describe([found], [])["groups"][0]["metric"] == "balanced_accuracy"


def test_controls_of_other_levels_tickets_and_trainings_are_not_mixed_in(runs):
    wrong = [
        control("reinit", 0, 0.10, at=1),
        control("reinit", 1, 0.10, family="longer"),
        unfinished(control("reinit", 2, 0.10)),
        control("erk", 0, 0.10, controls=Control(run="other-s0", level=2, kind="erk")),
        control("erk", 1, 0.10, controls=Control(run="imp-s0", level=2, kind="erk")),  # seed 1
        control("labels", 0, 0.10, kept=0.05),
    ]
    found, notes = only(runs, [*runs, *wrong])
    assert [one.verdict for one in found.checks] == ["not run"] * 7
    assert notes == [
        "erk of imp, seed 0: its seed, images or training are not those of the ticket",
        "reinit of imp, seed 0: it is of level 1, and level 2 is picked",
        "reinit of imp, seed 1: its seed, images or training are not those of the ticket",
        "reinit of imp, seed 2: it is running",
        "labels of imp, seed 0: it keeps 50 weights, and the ticket 250",
    ]
    right = [control("reinit", seed, 0.6 + seed / 100) for seed in range(2)]
    found, notes = only(runs, [*runs, *wrong, *right])
    check = next(one for one in found.checks if one.kind == "reinit")
    assert check.difference.values == pytest.approx(
        {Repetition(seed=0): 0.20, Repetition(seed=1): 0.21}
    )
    assert check.missing == ("imp-s2",) and "reinit of imp, seed 2: it is running" in notes


def test_whole_run_controls_count_whichever_level_they_name(runs, split):
    moved = [replace(one, controls=one.controls.model_copy(update={"level": 1})) for one in split]
    found, notes = only(runs, [*runs, *moved])
    assert len(found.parts["pruning"].values) == len(found.parts["over_budget"].values) == 3
    assert notes == []


def test_the_newest_of_several_controls_counts(runs):
    old, new = (control("erk", 0, test, created=at) for test, at in ((0.1, 1.0), (0.7, 2.0)))
    found, _ = only(runs, [new, replace(old, run_id="old", group="old")])
    check = next(one for one in found.checks if one.kind == "erk")
    assert check.difference.mean == pytest.approx(0.80 - 0.70)


def test_what_is_no_ticket_is_left_out_with_the_reason(runs):
    dense = replace(run("dense", 0, {1.0: 0.7}), params={})
    unsure = [*runs[:2], unfinished(runs[2])]
    found, notes = find([dense, *unsure, control("erk", 0, 0.7)], [dense])
    assert [one.label for one in found] == ["imp"] and len(found[0].results) == 2
    assert notes == [
        "dense has no ticket: nothing is pruned in what it picked",
        "imp s2 is left out: it is running",
    ]
    of_dense = control("same_layer", 0, 0.6, controls=Control(run="dense-s0", level=0, kind="erk"))
    assert find([dense], [dense, of_dense])[0] == []


def test_one_seed_says_what_it_saw_and_that_nothing_tests_it(runs, split):
    found, _ = only(runs[:1], [runs[0], *split])
    told = worthwords.describe([found], [])["groups"][0]
    assert told["parts"]["gain"]["mean"] == pytest.approx(0.1)
    assert all(part["p"] is None and part["interval"] is None for part in told["parts"].values())
    assert told["said"][0] == (
        "+10.00 points over dense, which nothing tests: one seed in common; a test needs two."
    )


def test_equal_gains_are_not_called_significant(split):
    same = [ticket(seed, 0.5, 0.75) for seed in range(3)]
    found, _ = only(same, same)
    assert not found.parts["gain"].more and found.parts["gain"].interval is None
    assert "nothing tests: the same difference in all seeds" in said(found)[0]


def test_a_method_without_a_dense_level_is_measured_against_dense_runs():
    snip = [replace(run("snip", seed, {0.25: 0.6 + seed / 100}), params={}) for seed in range(2)]
    dense = [replace(run("dense", seed, {1.0: 0.5}), params={}) for seed in range(2)]
    found, notes = only(snip, [*snip, *dense])
    assert found.parts["gain"].mean == pytest.approx(0.105)
    assert notes == ["snip has no dense level; dense is dense-s0, dense-s1"]
    found, _ = only(snip, snip)
    assert said(found)[0] == "There is no dense network to compare with."


def test_picks_by_validation_and_by_test_stand_side_by_side(runs):
    better = replace(runs[0].levels[1], test=0.85)  # which validation images like less
    runs[0] = replace(runs[0], levels=(runs[0].levels[0], better, runs[0].levels[2]))
    nulls = [null(seed, test, 0.03) for seed, test in enumerate(NULL)]
    found, _ = only(runs, [*runs, *nulls])
    by = {pick.split: pick for pick in found.picks}
    assert [*by["val"].levels.values()] == [2, 2, 2] and [*by["test"].levels.values()] == [1, 2, 2]
    assert found.optimism["ticket"].mean == pytest.approx(0.05 / 3)
    assert found.optimism["null"].mean == pytest.approx(0.03)
    assert [*by["test"].accuracies["null"].values()] == pytest.approx([0.76, 0.78, 0.79])


def said(found):
    return worthwords.describe([found], [])["groups"][0]["said"]


def nulls(*tests):
    return [null(seed, test) for seed, test in enumerate(tests)]


SURE = [0.700, 0.701, 0.702]  # of dense, with tickets at 0.9 + the same


@pytest.mark.parametrize(
    ("tests", "words"),
    [
        ((0.80, 0.803, 0.8), "Pruning gives +10.10 of +20.10 points; the rest is extra trainings"),
        ((0.9, 0.906, 0.901), "Extra trainings and picks alone give +20.13 of +20.10 points; that"),
        ((0.71, 0.69, 0.705), "Pruning gives +20.03 of +20.10 points; that extra trainings and"),
        (
            (0.60, 0.603, 0.6),
            "Pruning gives +30.10, of which trainings and picks cost some: +20.10",
        ),
        ((0.95, 0.953, 0.95), "As many trainings and picks without pruning give more: -4.90"),
        ((0.5, 0.9, 0.7), "There is a gain over dense (+20.10, 95 % interval +19.85 to +20.35)"),
    ],
)
def test_a_sentence_says_no_more_of_pruning_than_is_shown(tests, words):
    runs = [ticket(seed, dense, 0.9 + seed / 500) for seed, dense in enumerate(SURE)]
    found, _ = only(runs, [*runs, *nulls(*tests)])
    assert said(found)[0].startswith(words)


def test_sentences_without_a_gain_or_without_controls(runs, split):
    found, _ = only(runs, runs)
    assert said(found)[0].startswith("The gain over dense is +10.00, 95 % interval")
    assert "without the null control" in said(found)[0]
    worse = [ticket(seed, 0.9 + seed / 100, test) for seed, test in enumerate((0.7, 0.72, 0.71))]
    assert said(only(worse, worse)[0])[0].startswith("The ticket is worse than dense: -20.00")
    vague = [ticket(seed, 0.7, test) for seed, test in enumerate((0.6, 0.8, 0.72))]
    assert said(only(vague, vague)[0])[0].startswith("No gain over dense is shown: +0.67")


def test_shares_are_of_the_seeds_that_have_all(runs):
    runs = [ticket(seed, dense, 0.9 + seed / 500) for seed, dense in enumerate(SURE)]
    runs.append(replace(ticket(0, 0.3, 0.502), run_id="imp-s3", seed=3))
    found, _ = only(runs, [*runs, *nulls(0.80, 0.803, 0.8)])
    assert said(found)[0].startswith("Pruning gives +10.10 of +20.10 points (3 of 4 seeds); the")


def test_commands_make_what_is_missing(runs, split):
    erk = [control("erk", seed, 0.7) for seed in range(2)]
    runs = [replace(one, group="0123456789") for one in runs]
    found, _ = only(runs, [*runs, *split, *erk])
    assert worthwords.describe([found], [])["groups"][0]["commands"] == [
        "lthtui control 012345 --kind same_layer,random,uniform,reinit,shuffle,labels",
        "lthtui control imp-s2 --kind erk",
    ]


def test_accuracies_that_are_no_numbers_do_not_count(runs, split):
    runs[0] = ticket(0, test=float("nan"))
    found, _ = only(runs, [*runs, *split])
    assert [len(part.values) for part in found.parts.values()] == [2, 3, 3, 2, 2]
    json.dumps(worthwords.describe([found], []), allow_nan=False)


def test_all_of_it_is_json(runs, split):
    found, notes = find(runs, [*runs, *split, control("erk", 0, float("nan"))])
    told = worthwords.describe(found, notes)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    (group,) = told["groups"]
    assert group["test_accuracy"]["budget"]["n"] == 3
    assert [one["level"] for one in group["runs"]] == [2, 2, 2]
    assert told["notes"] == ["erk of imp, seed 0: it has no test accuracy"]
