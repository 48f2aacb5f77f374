"""The long table of a report: a line for each number, as pandas reads it."""

import io

import pandas as pd
from reported import level

from lthtui.identity import Control
from lthtui.reports import values


def read(subject):
    return pd.read_csv(io.StringIO(values.text(values.of(subject))), keep_default_na=False)


def test_every_number_has_its_seed_level_and_unit(made):
    runs = [made.imp(seed, 0.5, 0.6 + seed / 10) for seed in range(2)]
    made.evaluated(runs[1], 1, "fgsm epsilon:4", {"accuracy at 4": 0.25})
    made.evaluated(runs[1], 1, "calibration", {"nll": 1.5})
    made.evaluated(runs[1], 7, "calibration", {"nll": 2.5})  # of a level that there is not
    table = read(made.subject(*runs, labels={"imp": "a, b"}))
    tests = table[(table.metric == "test_accuracy") & table.picked]
    assert tests.set_index("seed")["value"].to_dict() == {0: 0.6, 1: 0.7}
    assert {*tests["kept"]} == {0.5} and {*tests["unit"]} == {"fraction"}
    assert {*table["label"]} == {"a, b"} and {*table["run"]} == {"imp-s0", "imp-s1"}
    seconds = table[table.metric == "seconds"]
    assert [*seconds["value"]] == [10.0] * 4 and {*seconds["unit"]} == {"s"}
    (evaluated,) = table[table.evaluation == "fgsm epsilon:4"].itertuples()
    assert (evaluated.seed, evaluated.level, evaluated.value) == (1, 1, 0.25)
    assert evaluated.unit == "fraction"
    (nll,) = table[table.metric == "nll"].itertuples()
    assert (nll.value, nll.unit) == (1.5, "")


def test_controls_that_were_not_named_are_there_once(made):
    run = made.imp(0, 0.5, 0.6)
    controls = Control(run=run.run_id, level=1, kind="null")
    null = made.run("imp", 0, level(0, 1.0, 0.4), group="null", controls=controls)
    table = read(made.subject(run, known=[null]))
    found = table[(table.method == "null") & (table.metric == "test_accuracy")]
    assert [*found["value"]] == [0.4]


def test_of_a_fold_of_a_run_under_way_nothing_is_picked_for_good(made):
    params = {"data.folds": "3", "data.fold": "2", "data.seed": "1"}
    levels = level(0, 1.0, 0.5), level(1, 0.5, 0.6, val_balanced=0.4, test_balanced=0.45)
    going = made.run("imp", 0, *levels, status="running", final=False, params=params)
    table = read(made.subject(going))
    assert not table["picked"].any()
    assert {*zip(table["draw"], table["fold"], table["seed"], strict=True)} == {(1, 2, 0)}
    balanced = table[table.metric.str.contains("balanced")]
    found = [*zip(balanced["metric"], balanced["level"], balanced["value"], strict=True)]
    assert found == [("val_balanced_accuracy", 1, 0.4), ("test_balanced_accuracy", 1, 0.45)]
