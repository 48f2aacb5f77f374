"""Scores in a report, by class, of probabilities and when abstaining, against figures by hand."""

import pytest
from matplotlib.figure import Figure
from reported import cells

from lthtui.reports.figures import drawn
from lthtui.reports.model import Absent, Table
from lthtui.reports.sections import scores


def judged(made, run, confusion, index=1):
    """An accuracy evaluation of two classes, from what was taken for what."""
    sizes = [sum(line) for line in confusion]
    each = [
        {"class": name, "images": n, "accuracy": confusion[at][at] / n if n else None}
        for at, (name, n) in enumerate(zip(("cat", "dog"), sizes, strict=True))
    ]
    top = (confusion[0][0] + confusion[1][1]) / sum(sizes)
    metrics = {"test top1": top, "test top1 low": top - 0.1, "test top5": 1.0}
    document = {"test": {"classes": each, "confusion": confusion}}
    made.evaluated(run, index, "accuracy", metrics, accuracy=document)


def test_accuracies_by_class_and_confusions_are_over_all_runs(made):
    runs = [made.imp(seed, 0.5, 0.6) for seed in range(2)]
    judged(made, runs[0], [[6, 2], [1, 1]])
    judged(made, runs[1], [[2, 2], [0, 2]])
    subject = made.subject(*runs)
    table, bars, confused = scores.build(subject).blocks
    assert cells(table)["accuracy %", "ticket"] == pytest.approx((0.7, 4 / 6))
    assert cells(table)["top5 %", "ticket"] == (1.0, 1.0)
    (row,) = subject.methods
    found = scores.by_class(subject, row, "accuracy", "ticket")
    assert found == {"cat": (0.75, 0.5), "dog": (0.5, 1.0)}
    shares = scores.confusion(subject, row, "accuracy", 2)
    assert shares == [[8 / 12, 4 / 12], [0.25, 0.75]]  # of all runs' images of the class
    assert ">67<" in drawn(confused)["svg"].decode() and ">dog<" in drawn(bars)["svg"].decode()
    canvas = Figure()
    confused.draw(canvas)
    axes = canvas.axes[0]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("is", "taken for")
    shown = {text.get_position(): text.get_text() for text in axes.texts}
    assert shown == {(0, 0): "67", (1, 0): "33", (0, 1): "25", (1, 1): "75"}


def test_a_class_without_test_images_has_no_accuracy_and_is_drawn(made):
    run = made.imp(0, 0.5, 0.6)
    judged(made, run, [[2, 2], [0, 0]])
    subject = made.subject(run)
    (row,) = subject.methods
    assert scores.by_class(subject, row, "accuracy", "ticket") == {"cat": (0.5,)}
    blocks = scores.build(subject).blocks
    assert [type(one) for one in blocks] == [Table]  # one class alone makes no picture


def test_reliability_pools_the_images_of_all_runs(made):
    runs = [made.imp(seed, 0.5, 0.6) for seed in range(2)]
    bins = (
        [{"above": 0.5, "images": 3, "confidence": 0.6, "accuracy": 2 / 3}],
        [
            {"above": 0.5, "images": 1, "confidence": 0.8, "accuracy": 0.0},
            {"above": 0.9, "images": 0, "confidence": None, "accuracy": None},
        ],
    )
    for run, found in zip(runs, bins, strict=True):
        document = {"test": {"bins": found}}
        made.evaluated(run, 1, "calibration", {"ece": 0.05}, calibration=document)
    subject = made.subject(*runs)
    table, picture = scores.build(subject).blocks
    (row,) = subject.methods
    (point,) = scores.reliability(subject, row, "calibration", "ticket")
    assert point == pytest.approx(((3 * 0.6 + 0.8) / 4, 2 / 4))
    assert cells(table)["expected calibration error %", "ticket"] == (0.05, 0.05)
    assert "confidence (%)" in drawn(picture)["svg"].decode()


def test_coverages_are_told_in_words(made):
    run = made.imp(0, 0.5, 0.6)
    for index, value in ((0, 0.6), (1, 0.75)):
        made.evaluated(run, index, "selective", {"aurc": 0.2, "accuracy at 0.8": value})
    (table,) = scores.build(made.subject(run)).blocks
    found = cells(table)["accuracy on the 80 % most sure %", "ticket − dense"]
    assert found == pytest.approx((0.15,))


def test_documents_of_another_version_are_as_none(made):
    run = made.imp(0, 0.5, 0.6)
    made.evaluated(run, 1, "accuracy", {"test top1": 0.5}, accuracy={"test": {"classes": 3}})
    made.evaluated(run, 1, "calibration", {}, calibration={"test": []})
    blocks = scores.build(made.subject(run)).blocks
    assert [type(one) for one in blocks] == [Table]


def test_without_any_it_says_which_command_makes_them(made):
    absent = scores.build(made.subject(made.imp(0, 0.5, 0.6)))
    assert isinstance(absent, Absent) and "calibration" in absent.commands[0]
