"""The main table of a report, against figures worked out by hand, and its picture."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from matplotlib.figure import Figure
from reported import cells, level

from lthtui import provenance
from lthtui.identity import Control
from lthtui.reports import tables
from lthtui.reports.figures import drawn
from lthtui.reports.sections import accuracy


def test_tickets_stand_beside_their_dense_networks_run_by_run(made):
    runs = [made.imp(0, 0.50, 0.60), made.imp(1, 0.52, 0.66), made.imp(2, 0.51, 0.65)]
    table, _ = accuracy.build(made.subject(*runs)).blocks
    found = cells(table)
    assert found["imp", "dense %"] == (0.50, 0.52, 0.51)
    assert found["imp", "picked on val %"] == (0.60, 0.66, 0.65)
    assert found["imp", "gain"] == pytest.approx((0.10, 0.14, 0.14))
    assert found["imp", "kept %"] == (0.5, 0.5, 0.5)
    # differences of mean 0.38/3 and deviation 0.04/sqrt(3): t = 9.5 with 2 degrees of freedom
    assert found["imp", "p"] == pytest.approx((0.011,), abs=5e-4)


def test_what_test_images_would_have_picked_stands_beside_it(made):
    levels = (level(0, 1.0, 0.5), level(1, 0.5, 0.7, val=0.6), level(2, 0.25, 0.6, val=0.65))
    table, _ = accuracy.build(made.subject(made.run("imp", 0, *levels, winner=2))).blocks
    found = cells(table)
    assert found["imp", "picked on val %"] == (0.6,)
    assert found["imp", "picked on test %"] == (0.7,)
    assert found["imp", "optimism"] == pytest.approx((0.1,))


def test_gain_kept_and_p_are_of_what_validation_picks_whoever_selects(made):
    runs = [
        made.run(
            "imp",
            seed,
            level(0, 1.0, 0.5),
            level(1, 0.5, 0.9, val=0.6),
            level(2, 0.25, test, val=0.7),
            winner=1,
            split="test",
        )
        for seed, test in enumerate((0.60, 0.64, 0.65))
    ]
    table, _ = accuracy.build(made.subject(*runs)).blocks
    found = cells(table)
    assert found["imp", "kept %"] == (0.25,) * 3
    assert found["imp", "gain"] == pytest.approx((0.10, 0.14, 0.15))
    # of mean 0.13 and deviation sqrt(0.0007): t^2 = 72.43, and p = 1 - t / sqrt(t^2 + 2)
    assert found["imp", "p"] == pytest.approx((1 - (72.4286 / 74.4286) ** 0.5,), abs=1e-6)


def test_folds_do_not_count_as_independent(made):
    runs = [
        made.run(
            "imp",
            0,
            level(0, 1.0, 0.5),
            level(1, 0.5, test),
            run_id=f"imp-f{fold}-s0",
            params={"data.folds": "3", "data.fold": str(fold)},
        )
        for fold, test in enumerate((0.60, 0.64, 0.65))
    ]
    table, _ = accuracy.build(made.subject(*runs)).blocks
    # of three folds: 0.13 over sqrt((1/3 + 1/2) * 0.0007), so that t^2 = 28.971
    assert cells(table)["imp", "p"] == pytest.approx((1 - (28.9714 / 30.9714) ** 0.5,), abs=1e-6)


def test_dense_runs_that_were_not_named_are_what_gains_are_over(made):
    ticket = made.run("rigl", 0, level(0, 0.25, 0.6))
    dense = [made.run("dense", seed, level(0, 1.0, 0.45 + seed)) for seed in range(2)]
    table, figure = accuracy.build(made.subject(ticket, known=dense)).blocks
    found = cells(table)
    assert found["rigl", "dense %"] == (0.45,)  # of the seed of the ticket
    assert ">rigl<" in drawn(figure)["svg"].decode()
    assert found["rigl", "gain"] == pytest.approx((0.15,))
    assert found["rigl", "p"] == ()  # of one seed nothing can be told


def test_a_run_that_never_ended_has_dashes_and_costs_nothing(made):
    stopped = replace(made.imp(1, 0.5), status="stopped", winner=None, levels=())
    (table,) = accuracy.build(made.subject(stopped)).blocks
    assert cells(table)["imp", "picked on val %"] == ()


def test_seeds_of_one_draw_of_images_are_said_to_be(made, monkeypatch):
    attempt = SimpleNamespace(images={"train": 500, "test": 100})
    known = {f"imp-s{seed}": [attempt] for seed in range(2)}
    monkeypatch.setattr(provenance, "read", lambda runs: known)

    def said(*params):
        runs = [made.imp(seed, 0.5, params=one) for seed, one in enumerate(params)]
        (words,) = accuracy._images(made.subject(*runs))
        return words

    some = {"data.fraction": "0.01"}
    assert said(some, some) == (
        "digits: 500 train, 100 test images; seeds 0, 1. All train on the same draw of images:"
        " spreads are those of training alone."
    )
    assert "same draw" not in said({}, {})
    assert "same draw" not in said(some, {**some, "data.seed": "1"})
    assert "same draw" not in said(some)
    twice = [made.imp(0, 0.5, group=group, params=some) for group in ("", "b")]
    known["impb-s0"] = [attempt]
    assert "same draw" not in "".join(accuracy._images(made.subject(*twice)))


def test_a_picture_of_very_many_methods_has_the_first_and_says_so(made):
    runs = [made.imp(0, 0.5, 0.6, group=f"{at:02}") for at in range(22)]
    table, figure = accuracy.build(made.subject(*runs)).blocks
    svg = drawn(figure)["svg"].decode()
    assert ">imp20<" in svg and ">imp21<" not in svg and len(table.rows) == 22
    assert figure.caption.endswith("Drawn are the first 21 of 22 methods.")


def test_without_levels_to_draw_there_is_no_picture(made):
    (table,) = accuracy.build(made.subject(made.run("dense", 0, level(0, 1.0, 0.5)))).blocks
    assert cells(table)["dense", "dense %"] == (0.5,)
    assert tables.caption(table, "std").endswith("Of single runs: without a spread.")


def test_controls_that_nothing_else_was_named_with_are_the_methods(made):
    controls = Control(run="imp-s0", level=1, kind="random")
    control = made.run("ticket", 0, level(0, 0.5, 0.4), controls=controls)
    table, _ = accuracy.build(made.subject(control)).blocks
    assert cells(table)["ticket", "picked on val %"] == (0.4,)


def test_the_picture_tells_percent_and_both_methods(made):
    runs = [made.imp(0, 0.50, 0.60), made.imp(1, 0.52, 0.66), made.imp(0, 0.4, 0.3, group="b")]
    _, figure = accuracy.build(made.subject(*runs)).blocks
    svg = drawn(figure)["svg"].decode()
    assert ">imp<" in svg and ">impb<" in svg
    assert ">100<" in svg and ">50<" in svg


def test_diamonds_are_of_tickets_and_filled_where_these_are_known_to_win(made):
    searched = level(1, 0.8, 0.1, search=True)
    runs = [
        made.run("imp", seed, level(0, 1.0, 0.5), searched, level(2, 0.5, 0.6), beats_dense=won)
        for seed, won in enumerate((True, False, None))
    ]
    dense = made.run("imp", 3, level(0, 1.0, 0.5), searched, level(2, 0.5, 0.4), winner=0)
    _, figure = accuracy.build(made.subject(*runs, dense)).blocks
    canvas = Figure()
    figure.draw(canvas)
    line, *diamonds = canvas.axes[0].lines
    assert [*line.get_xdata()] == [1.0, 0.5]  # no search
    assert [one.get_markerfacecolor() != "white" for one in diamonds] == [True, False, False]


def test_methods_that_pick_by_balanced_accuracy_are_told_by_it_too(made):
    levels = (
        level(0, 1.0, 0.8, val_balanced=0.3, test_balanced=0.35),
        level(1, 0.5, 0.7, val_balanced=0.5, test_balanced=0.45),
        level(2, 0.25, 0.75, val_balanced=0.4, test_balanced=0.6),
    )
    params = {"select.metric": "balanced_accuracy"}
    balanced = made.run("imp", 0, *levels, winner=1, picks="best", params=params)
    plain = made.run("rigl", 0, level(0, 0.25, 0.6))
    table, other, figure, own = accuracy.build(made.subject(balanced, plain)).blocks
    assert (figure.name, own.name) == ("accuracy-density", "balanced-accuracy-density")
    canvas = Figure()
    own.draw(canvas)
    (line, diamond), axes = canvas.axes[0].lines, canvas.axes[0]
    assert [*line.get_ydata()] == [0.35, 0.45, 0.6] and [*diamond.get_ydata()] == [0.45]
    assert axes.get_ylabel() == "balanced test accuracy (%)"
    assert (table.name, other.name) == ("accuracy", "balanced-accuracy")
    assert cells(table)["imp", "gain"] == pytest.approx((-0.1,))
    assert [row[0] for row in other.rows] == ["imp"]
    found = cells(other)
    assert found["imp", "dense %"] == (0.35,) and found["imp", "picked on val %"] == (0.45,)
    assert found["imp", "gain"] == pytest.approx((0.1,))
    assert found["imp", "picked on test %"] == (0.6,)
    assert other.caption.startswith("Balanced accuracy")


def test_configurations_that_are_not_shown_are_counted(made):
    def imp(rate, images="10", **more):
        params = {"data.per_class": images, "sparsifier.rate": rate}
        return made.imp(0, 0.5, 0.6, group=f"-{rate}-{images}-{[*more]}", params=params, **more)

    tried = [imp("0.2"), imp("0.3"), imp("0.5")]
    aside = [
        made.run("rigl", 0, level(0, 0.5, 0.6), params={"data.per_class": "10"}),
        imp("0.2", experiment="another's"),
        imp("0.2", images="50"),
        imp("0.2", controls=Control(run="imp-s0", level=1, kind="null")),
        made.run("imp", 0, level(0, 1.0, 0.5, ended=False), group="-new", params=tried[0].params),
    ]
    found = [*accuracy._tries(made.subject(tried[0], known=(*tried, *aside)))]
    assert len(found) == 1
    assert "e has 3 configurations of imp with" in found[0] and "per_class=10" in found[0]
    assert "of which 1 is shown here: `lthtui best e` says" in found[0]
    assert [*accuracy._tries(made.subject(*tried, known=(*tried, *aside)))] == []


def test_accuracy_without_labels_is_said_to_be_a_vote(made):
    learnt = made.imp(0, 0.5, 0.6, params={"loss.name": "cross_entropy"})
    other = made.imp(0, 0.5, 0.6, group="-theirs", params={"loss.name": "hinge"})
    voted = made.imp(0, 0.5, 0.6, group="-simclr", params={"loss.name": "nt_xent"})
    said, *_ = accuracy.build(made.subject(learnt, voted)).blocks
    assert said.endswith("a vote of the nearest training images (Wu et al. 2018): imp-simclr.")
    assert not [*accuracy._voted(made.subject(learnt, other))]
