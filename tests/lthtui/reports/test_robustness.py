"""What corruptions and attacks make of tickets, beside their dense networks."""

import pytest
from reported import cells

from engine import outstanding
from engine.rundir import RunDirectory
from lthtui.evaluations import wanted
from lthtui.reports.figures import drawn
from lthtui.reports.model import Absent, Figure, Table
from lthtui.reports.sections import robustness


def corrupted(made, run, index, fog, snow, published=False):
    """Errors at severities 1 and 5 of two corruptions; a tenth of clean images is wrong."""
    errors = {"fog": fog, "snow": snow}
    each = {name: 1 - sum(found) / 2 for name, found in errors.items()}
    metrics = {"clean": 1 - fog[0], "mean": sum(each.values()) / 2, **each}
    document = {
        "severities": [1, 5],
        "clean error": {"dense": 0.3, "ticket": 0.1},
        "errors": {"dense": {name: [0.9, 0.9] for name in errors}, "ticket": errors},
        "published": published,
    }
    made.evaluated(run, index, "corruptions", metrics, corruptions=document)


def test_accuracies_stand_beside_dense_and_differences_are_paired(made):
    runs = [made.imp(seed, 0.5, 0.6) for seed in range(2)]
    for run, more in zip(runs, (0.0, 0.1), strict=True):
        corrupted(made, run, 0, [0.4, 0.6], [0.5, 0.7])
        corrupted(made, run, 1, [0.3 - more, 0.5 - more], [0.4 - more, 0.6 - more])
    table, severities, each = robustness.build(made.subject(*runs)).blocks
    found = cells(table)
    assert found["mean of all corruptions %", "dense"] == pytest.approx((0.45, 0.45))
    assert found["mean of all corruptions %", "ticket"] == pytest.approx((0.55, 0.65))
    assert found["mean of all corruptions %", "ticket − dense"] == pytest.approx((0.1, 0.2))
    # differences 0.1 and 0.2: t = 3 with one degree of freedom, p = 0.2048, of one test with a p
    assert found["mean of all corruptions %", "p"] == pytest.approx((0.2048,), abs=1e-4)
    assert found["clean images %", "p"] == ()  # which is no hypothesis of this table
    assert "made here" in table.caption
    assert severities.name == "corruptions-severity" and each.name == "corruptions-each"
    svg = drawn(each)["svg"].decode()
    assert ">fog<" in svg and ">imp, dense<" in svg


def test_where_images_come_from_is_said_if_it_is_the_same_of_all(made):
    said = []
    for group, sources in (("a", (True, True)), ("b", (True, False))):
        runs = [made.imp(seed, 0.5, 0.6, group=group) for seed in range(2)]
        for run, published in zip(runs, sources, strict=True):
            corrupted(made, run, 1, [0.1, 0.2], [0.1, 0.2], published)
        said.append(robustness.build(made.subject(*runs)).blocks[0].caption)
    assert "those of the published files" in said[0]
    assert "published files" not in said[1] and "made here" not in said[1]


def test_severities_are_means_over_corruptions_with_clean_images_first(made):
    run = made.imp(0, 0.5, 0.6)
    corrupted(made, run, 1, [0.2, 0.6], [0.4, 0.8])
    subject = made.subject(run)
    (row,) = subject.methods
    found = robustness._by_severity(subject, row, "corruptions", "ticket")
    assert {at: pytest.approx(values) for at, values in found.items()} == {
        0: [0.9],
        1: [0.7],
        5: [0.3],
    }


def test_documents_of_another_shape_are_left_out_of_pictures(made):
    run = made.imp(0, 0.5, 0.6)
    document = {"severities": [1], "errors": {"ticket": {"fog": [0.1, 0.2]}}}
    made.evaluated(run, 1, "corruptions", {"mean": 0.5}, corruptions=document)
    blocks = robustness.build(made.subject(run)).blocks
    assert [type(one) for one in blocks] == [Table]


def test_attacks_list_what_each_epsilon_leaves(made):
    runs = [made.imp(seed, 0.5, 0.6) for seed in range(2)]
    for run in runs:
        for index, value in ((0, 0.05), (1, 0.15 + run.seed / 10)):
            metrics = {"clean accuracy": 10 * value, "accuracy at 8": value}
            made.evaluated(run, index, "fgsm", metrics)
    (table,) = robustness.build(made.subject(*runs)).blocks
    found = cells(table)
    assert found["accuracy at epsilon 8/255, %", "ticket − dense"] == pytest.approx((0.1, 0.2))
    # as above: t = 3 with one degree of freedom; clean images are no hypothesis of this table
    assert found["accuracy at epsilon 8/255, %", "p"] == pytest.approx((0.2048,), abs=1e-4)
    assert [name for name, column in found if column == "p" and not found[name, column]] == [
        "clean accuracy %"
    ]


def test_several_methods_are_named_in_their_lines(made):
    runs = [made.imp(0, 0.5, 0.6), made.imp(0, 0.5, 0.6, group="b")]
    for run in runs:
        corrupted(made, run, 1, [0.1, 0.2], [0.1, 0.2])
    table, *pictures = robustness.build(made.subject(*runs)).blocks
    assert "alone" not in table.caption
    assert table.rows[0][0] == "imp: clean images %" and table.rows[2][0] == "impb: clean images %"
    assert all(isinstance(one, Figure) and drawn(one) for one in pictures)


def test_methods_that_were_not_evaluated_are_named(made):
    run, other = made.imp(0, 0.5, 0.6), made.imp(0, 0.5, 0.6, group="b")
    corrupted(made, run, 1, [0.1, 0.2], [0.1, 0.2])
    table, *_ = robustness.build(made.subject(run, other)).blocks
    assert table.rows[0][0] == "clean images %"
    assert "Of imp alone: of the other methods" in table.caption


def test_how_it_was_evaluated_is_said(made):
    run = made.imp(0, 0.5, 0.6)
    outstanding.ask(RunDirectory(made.folder / run.run_id), wanted("pgd", (), ""))
    made.evaluated(run, 1, "pgd", {"accuracy at 8": 0.1}, pgd={"images": 1000})
    (table,) = robustness.build(made.subject(run)).blocks
    assert "pgd: 1,000 test images, epsilon 8.0, steps 20" in table.caption


def test_without_any_it_says_which_command_makes_them(made):
    absent = robustness.build(
        made.subject(made.imp(0, 0.5, 0.6, group="0c1f2a3b"), words=("f.yaml",))
    )
    assert isinstance(absent, Absent)
    assert absent.commands[0].startswith("lthtui evaluate imp0c1 --with corruptions,")
