"""What can be asked of a run by name, and what is said of names that mean nothing."""

from dataclasses import replace

import pytest
from viewed import boarded, level, run

from lthtui import columns, fields
from lthtui.fields import Field, Misread
from lthtui.measured import Measured

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
NO_SHARES = ("", "x%", "0%", "101%", "2", "nan", "-5%", "5 %%")


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


def test_what_an_evaluation_measured_is_that_of_the_ticket_by_a_short_name():
    measured = tuple(
        Measured(level, "calibration bins:9", {"ece": 0.1 * level, "nll": 1.0 + level})
        for level in (0, 1, 2)
    )
    one = replace(
        RUN,
        directory="/runs/one",
        winner=1,
        measured=measured,
        metrics={"evaluation/calibration bins:9/ece": 0.2, "evaluation/odd/ece": 0.5},
    )
    known = fields.names([one])
    short = Field.parse("calibration bins:9/ece", known)
    assert short.of(one) == 0.1 and short == Field.parse(short.name)
    assert Field.parse("evaluation/calibration bins:9/ece", known).of(one) == 0.2
    assert short.kind == "share" and Field.parse("calibration/nll").kind == "number"
    assert short.of(replace(one, winner=3)) is None
    assert short.of(replace(one, directory="")) == 0.2  # a store knows the newest only
    assert "odd/ece" not in known  # of what is no evaluation here
    assert columns.Heading(short).shown == "ece"


def test_gain_is_over_what_the_group_is_measured_against():
    other = run("d", [level(0, 0.8, 0.9, kept=1000)], group="d", sparsifier="dense", seed=3)
    alone, beside = boarded(RUN), boarded(RUN, other)
    gain = Field.parse("gain")
    assert gain.of(RUN, alone.group_of(RUN.run_id)) == pytest.approx(0.04)
    assert gain.of(RUN, beside.group_of(RUN.run_id)) == pytest.approx(0.02)
    assert gain.of(RUN) == pytest.approx(0.04)


# Levels keep 1, 0.8, 0.64, 0.512 and 0.41 of the weights.
PRUNED = run(
    "p",
    [level(0, 0.90, 0.80), *(level(at, 0.90 + 0.01 * at, 0.80 + 0.02 * at) for at in range(1, 5))],
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("val@64%", 0.92),
        ("val@0.64", 0.92),
        ("test@64%", 0.84),
        ("gain@64%", 0.04),
        ("val@57.2%", 0.93),  # 64/57.2 = 1.1189, 57.2/51.2 = 1.1172
        ("val@57.3%", 0.92),  # 64/57.3 = 1.1169, 57.3/51.2 = 1.1191
        ("val@100%", 0.90),
        ("gain@100%", None),  # which is dense itself
        ("val@36.7%", 0.94),  # 41/36.7 = 1.117
        ("val@36.6%", None),  # 41/36.6 = 1.1202
        ("val@5%", None),
    ],
)
def test_accuracies_at_a_share_of_weights_are_those_of_the_nearest_level(text, value):
    field = Field.parse(text, KNOWN)
    assert field.of(PRUNED) == (value if value is None else pytest.approx(value))
    assert Field.parse(field.name) == field and field.kind == "share"


def test_levels_that_train_or_search_have_no_accuracy_at_a_share_of_weights():
    *others, last = PRUNED.levels
    for changed in (replace(last, ended=False), replace(last, search=True)):
        assert Field.parse("val@41%").of(replace(PRUNED, levels=(*others, changed))) is None


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
        *((f"val@{no}", 5, "a share of weights, such as 5%") for no in ("", "x%", "0%", "101%")),
        *(
            (f"gain@{no}", 6, "a share of weights, such as 5%")
            for no in ("2", "nan", "-5%", "5 %%")
        ),
        ("tets@5%", 1, "no field 'tets@5%'"),
        ("rate", 1, "no field 'rate'; did you mean sparsifier.rate?"),  # and not created
        ("RAET", 1, "no field 'RAET'; did you mean sparsifier.rate?"),
        ("val_loss", 1, "no field 'val_loss'; did you mean epoch/val_loss?"),
        ("best(val_los)", 6, "no metric 'val_los'; did you mean epoch/val_loss?"),
        ("best(rate)", 6, "no metric 'rate'; `lthtui list --columns help` names all"),
        (
            "qqqqqqqq\x1b[2J",
            1,
            "no field 'qqqqqqqq\\x1b[2J'; `lthtui list --columns help` names all",
        ),
    ],
)
def test_a_name_that_no_run_has_is_said_where_and_with_the_nearest(text, column, said):
    with pytest.raises(Misread) as caught:
        Field.parse(text, KNOWN)
    assert caught.value.column == column and said in caught.value.problem
    assert str(caught.value) == f"column {column}: {caught.value.problem}"


def test_of_settings_that_end_alike_a_few_are_proposed():
    known = fields.names([run(params={f"{at}.optimizer.lr": "1" for at in "abcd"})])
    for typed in ("lr", "optimizer.lr"):
        with pytest.raises(Misread) as caught:
            Field.parse(typed, known)
        assert caught.value.problem == (
            f"no field '{typed}'; did you mean a.optimizer.lr or b.optimizer.lr or c.optimizer.lr?"
        )


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
    [("epoch/val_loss", True), ("Val_Error", True), ("floss", False), ("level/seconds", True)],
)
def test_what_is_best_is_told_by_the_words_of_a_name(key, smaller):
    assert fields.smaller_is_better(key) is smaller


def test_names_are_those_that_runs_have():
    assert KNOWN[: len(fields.BUILT_IN)] == [*fields.BUILT_IN]
    assert {"sparsifier.rate", "params.lr", "tags.why", "epoch/val_loss", "metrics.acc"} < {*KNOWN}
    assert len(set(KNOWN)) == len(KNOWN) and "val_loss" not in KNOWN


def test_names_of_others_that_look_like_an_accuracy_at_a_density_are_theirs():
    strange = run(params={"val@k.x": "1"}, metrics={"test@10/map": 2.0})
    found = {name: Field.parse(name, fields.names([strange])) for name in fields.names([strange])}
    assert found["params.val@k.x"].of(strange) == "1"
    assert found["metrics.test@10/map"].of(strange) == 2.0
