"""Metrics of evaluations beside one another: columns, units, and means over repetitions."""

from __future__ import annotations

from viewed import level, run

from lthtui import evaluationtable
from lthtui.evaluationtable import figures, heads, lines
from lthtui.measured import Measured

LEVELS = [level(index, 0.5 + 0.1 * index) for index in range(3)]


def evaluated(*measured, winner=2, seed=0, final=True):
    return run(f"r-s{seed}", LEVELS, seed=seed, final=final, winner=winner, measured=measured)


def calibration(level, **metrics):
    return Measured(level, "calibration", metrics)


def test_tickets_have_columns_by_what_they_are():
    one = evaluated(*(calibration(level, nll=1.0 + level) for level in range(3)))
    assert heads([one]) == ["dense", "ticket", "level 1"]
    assert figures([one])["calibration", "nll"] == {"dense": "1", "level 1": "2", "ticket": "3"}
    assert heads([evaluated(*one.measured, final=False)]) == ["dense", "level 1", "level 2"]


def test_a_run_that_begins_sparse_has_no_dense_column():
    sparse = [level(0, 0.5, kept=500), level(1, 0.6, kept=400)]
    found = run("r", sparse, final=True, winner=1, measured=(calibration(0, nll=1.0),))
    assert heads([found]) == ["level 0"]


def test_fractions_are_percentages_and_other_numbers_are_plain():
    one = evaluated(calibration(0, ece=0.04937, nll=1.7594), Measured(0, "of the future", {"x": 2}))
    found = figures([one])
    assert found["calibration", "ece"] == {"dense": "4.94%"}
    assert found["calibration", "nll"] == {"dense": "1.759"}
    assert found["of the future", "x"] == {"dense": "2"}


def test_every_share_is_one_of_its_evaluation_and_no_other_is():
    shares = {
        "calibration": ("ece", "scaled adaptive ece", "scaled overconfidence"),
        "corruptions": ("mean of noise", "fog"),
        "dead_filters": ("effective density", "dead filters"),
        "instability": ("barrier", "1ep/error_of_ends"),
        "pgd": ("accuracy at 8",),
    }
    plain = {
        "calibration": ("temperature", "brier"),
        "corruptions": ("mCE",),
        "dead_filters": ("collapsed layers",),
        "instability": ("distance", "stable"),
        "weight_norms": ("norm ratio",),
    }
    for expected, known in ((True, shares), (False, plain)):
        for name, metrics in known.items():
            for metric in metrics:
                found = evaluationtable.is_share(f"{name} images:300", metric)
                assert found is expected, (name, metric)


def test_what_applies_to_no_ticket_is_told_below_the_table():
    one = evaluated(
        calibration(0, nll=1.0),
        Measured(0, "cifar10_2", inapplicable="it has\nother classes"),
        Measured(2, "cifar10_2", inapplicable="it has\nother classes"),
        Measured(0, "weight_norms", {"norm ratio": 1.1}),
        Measured(2, "weight_norms", inapplicable="no dense level"),
    )
    told = [line for line in lines([one]) if "apply" in line]
    assert told == [r"cifar10_2 does not apply: it has\nother classes"]
    assert [*lines([one])][-1:] == told


def test_repetitions_are_one_column_wherever_each_has_its_ticket():
    runs = [
        evaluated(calibration(2, ece=0.10, nll=1.0), winner=2, seed=0),
        evaluated(calibration(1, ece=0.14, nll=2.0), winner=1, seed=1),
        evaluated(calibration(0, ece=0.20), winner=1, seed=2),
    ]
    assert figures(runs)["calibration", "ece"] == {
        "ticket": "12.00 ± 2.83% (2)",
        "dense": "20.00% (1)",
    }
    assert figures(runs)["calibration", "nll"] == {"ticket": "1.5 ± 0.71 (2)"}


def test_counts_are_written_whole():
    runs = [
        evaluated(Measured(0, "cost", {"parameters": at, "training FLOPs": 1.2e12}), seed=seed)
        for seed, at in enumerate((176_000.0, 178_000.0))
    ]
    found = figures(runs)
    assert found["cost", "parameters"] == {"dense": "177,000 ± 1,414"}
    assert found["cost", "training FLOPs"] == {"dense": "1.2e+12 ± 0"}


def test_metrics_of_an_evaluation_stay_together_and_in_its_own_order():
    one = evaluated(
        Measured(0, "cka", {"within": 0.5}),
        Measured(2, "cka", {"within": 0.5, "diagonal": 0.5}),
        Measured(2, "fgsm", {"clean accuracy": 0.5, "accuracy at 8": 0.5}),
    )
    assert list(figures([one])) == [
        ("cka", "within"),
        ("cka", "diagonal"),
        ("fgsm", "clean accuracy"),
        ("fgsm", "accuracy at 8"),
    ]


def test_names_from_outside_are_text():
    one = evaluated(Measured(0, "x\x1b[31m", {"y\n": 1.0}))
    assert "\x1b" not in "\n".join(lines([one])) and len(list(lines([one]))) == 2
