"""Dense networks beside tickets: differences of the same repetitions, and what tests say."""

import csv

import pytest
from reported import cells

from lthtui.reports import beside, tables
from lthtui.reports.beside import Line

LINES = [
    Line("fgsm", "accuracy at 8", "under attack %"),
    Line("fgsm", "clean", "clean %", tested=False),
]


def told(made, *runs):
    found = beside.table(made.subject(*runs), "fgsm", "Under attack.", LINES)
    return found, cells(found)


def evaluated(made, run, dense, ticket):
    """What is measured of both, in both lines; None where it is not."""
    for index, value in enumerate((dense, ticket)):
        if value is not None:
            made.evaluated(run, index, "fgsm", {"accuracy at 8": value, "clean": value + 0.5})


def test_differences_are_those_of_runs_of_which_both_are_known(made):
    runs = [made.imp(seed, 0.5, 0.6) for seed in range(4)]
    known = ((None, 0.10), (0.20, 0.25), (0.10, 0.25), (0.30, None))
    for run, (dense, ticket) in zip(runs, known, strict=True):
        evaluated(made, run, dense, ticket)
    _, found = told(made, *runs)
    assert found["under attack %", "dense"] == (0.20, 0.10, 0.30)
    assert found["under attack %", "ticket"] == (0.10, 0.25, 0.25)
    assert found["under attack %", "ticket − dense"] == pytest.approx((0.05, 0.15))
    # of mean 0.1 and deviation 0.05 sqrt(2): t = 2 with one degree, p = 1 - 2 atan(2) / pi
    assert found["under attack %", "p"] == pytest.approx((0.295167,), abs=1e-6)
    assert found["clean %", "p"] == ()  # no hypothesis, and not one of those that are corrected for


def test_folds_do_not_count_as_independent(made):
    folds = [{"data.folds": "2", "data.fold": str(fold)} for fold in range(2)]
    runs = [made.imp(seed, 0.5, 0.6, params=params) for seed, params in enumerate(folds)]
    for run, ticket in zip(runs, (0.25, 0.35), strict=True):
        evaluated(made, run, 0.2, ticket)
    _, found = told(made, *runs)
    # two folds: 0.1 over sqrt((1/2 + 1) * 0.005), t^2 = 4/3, p = 1 - 2 atan(t) / pi
    assert found["under attack %", "p"] == pytest.approx((0.454371,), abs=1e-6)


def test_what_is_over_no_runs_counts_for_no_caption_and_files_have_all_digits(made):
    runs = [made.imp(seed, 0.5, 0.6) for seed in range(3)]
    for run in runs:
        evaluated(made, run, 0.2, 0.25 + run.seed / 30)
    table, found = told(made, *runs)
    assert tables.caption(table, "std").endswith("over 3 runs.")
    lines = csv.DictReader(tables.values(table, "std").splitlines())
    told_of = {(line["row"], line["column"]): line["values"] for line in lines}
    values = told_of["under attack %", "ticket − dense"].split()
    assert tuple(map(float, values)) == found["under attack %", "ticket − dense"]
