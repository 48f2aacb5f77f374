"""What can be asked of a run by name, and what is said of names that mean nothing."""

from dataclasses import replace

import pytest
from viewed import boarded, level, run

from lthtui import fields
from lthtui.fields import Field, Misread

RUN = run(
    "20260101-digits-abcdef-s3",
    [level(0, 0.90, 0.88), level(1, 0.94, 0.92)],
    seed=3,
    user="ann",
    duration=90.0,
    eta=None,
    params={"sparsifier.rate": "0.2", "lr": "0.1", "odd/name": "x"},
    tags={"why": "paper"},
    metrics={"epoch/val_loss": 0.5, "acc": 0.9, "odd.name": 1.0},
    extremes={"epoch/val_loss": (0.4, 2.0), "acc": (0.1, 0.95)},
)
KNOWN = fields.names([RUN])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("name", "digits"), ("id", RUN.run_id), ("status", "finished"), ("seed", 3.0)),
        *(("method", "imp"), ("sparsifier", "imp"), ("data", "digits"), ("user", "ann")),
        *(("level", 1.0), ("best_level", 1.0), ("density", 0.8), ("kept", 0.8)),
        *(("val", 0.94), ("test", 0.92), ("duration", 90.0), ("eta", None), ("note", None)),
        *(("sparsifier.rate", "0.2"), ("params.lr", "0.1"), ("lr", "0.1"), ("tags.why", "paper")),
        *(("epoch/val_loss", 0.5), ("metrics.acc", 0.9), ("acc", 0.9)),
        *(("last(epoch/val_loss)", 0.5), ("best(epoch/val_loss)", 0.4), ("best(acc)", 0.95)),
        *(("min(acc)", 0.1), ("max(metrics.epoch/val_loss)", 2.0)),
        *(
            ("params.odd/name", "x"),
            ("odd/name", "x"),
            ("metrics.odd.name", 1.0),
            ("odd.name", 1.0),
        ),
    ],
)
def test_a_name_gives_a_value_and_reads_as_the_same_field_in_full(text, value):
    field = Field.parse(text, KNOWN)
    assert field.of(RUN) == value
    assert Field.parse(field.name) == field


def test_gain_is_over_what_the_group_is_measured_against():
    other = run("d", [level(0, 0.8, 0.9, kept=1000)], group="d", sparsifier="dense", seed=3)
    alone, beside = boarded(RUN), boarded(RUN, other)
    gain = Field.parse("gain")
    assert gain.of(RUN, alone.group_of(RUN.run_id)) == pytest.approx(0.04)
    assert gain.of(RUN, beside.group_of(RUN.run_id)) == pytest.approx(0.02)
    assert gain.of(RUN) == pytest.approx(0.04)


def test_a_stalled_run_is_said_to_be():
    assert Field.parse("status").of(replace(RUN, status="running", stalled=True)) == "stalled"


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("vall", 1, "no field 'vall'; did you mean val?"),
        ("sparsifer.rate", 1, "no field 'sparsifer.rate'; did you mean sparsifier.rate?"),
        ("best(epoch/val_los)", 6, "no metric 'epoch/val_los'; did you mean epoch/val_loss?"),
        ("best()", 6, "expected a metric"),
        ("", 1, "expected a field"),
        ("tags.who", 1, "no field 'tags.who'; did you mean tags.why?"),
        ("qqqqqqqq\x1b[2J", 1, "no field 'qqqqqqqq\\x1b[2J'; known: name, id"),
    ],
)
def test_a_name_that_no_run_has_is_said_where_and_with_the_nearest(text, column, said):
    with pytest.raises(Misread) as caught:
        Field.parse(text, KNOWN)
    assert caught.value.column == column and said in caught.value.problem
    assert str(caught.value) == f"column {column}: {caught.value.problem}"


def test_without_known_names_any_setting_or_metric_may_come():
    assert Field.parse("train.new").family == "params"
    assert Field.parse("eval/new").family == "metrics"
    assert Field.parse("best(anything at all)").key == "anything at all"
    with pytest.raises(Misread, match="no field 'train'"):
        Field.parse("train")


def test_names_between_commas_have_their_columns():
    found = fields.split(" a, best(b,c) ,,d")
    assert found == [(2, "a"), (5, "best(b,c)"), (16, ""), (17, "d")]
    assert fields.split("  ") == []


@pytest.mark.parametrize(
    ("key", "smaller"),
    [("epoch/val_loss", True), ("val_error", True), ("floss", False), ("level/seconds", True)],
)
def test_what_is_best_is_told_by_the_words_of_a_name(key, smaller):
    assert fields.smaller_is_better(key) is smaller


def test_names_are_those_that_runs_have():
    assert KNOWN[: len(fields.BUILT_IN)] == [*fields.BUILT_IN]
    assert {"sparsifier.rate", "params.lr", "tags.why", "epoch/val_loss", "metrics.acc"} < {*KNOWN}
    assert len(set(KNOWN)) == len(KNOWN) and "val_loss" not in KNOWN
