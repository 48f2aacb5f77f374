"""Losses by epoch in a report."""

import pytest
from reported import level

from lthtui.reports.figures import drawn
from lthtui.reports.sections import training


def trained(made, seed, loss="cosine", **more):
    dense = level(0, 1.0, 0.5, losses=tuple(2.0 for _ in range(10)) + (1.0,) * 10)
    ticket = level(1, 0.5, 0.6, losses=tuple(2.0 + seed - n / 20 for n in range(20)))
    return made.run("imp", seed, dense, ticket, params={"loss.name": loss}, **more)


def test_first_and_last_losses_and_what_the_last_tenth_still_gained(made):
    table, figure = training.build(made.subject(*(trained(made, n) for n in range(2)))).blocks
    dense, ticket = table.rows
    assert dense[:2] == ("imp", "dense") and ticket[1] == "ticket"
    assert ticket[2].values == (20.0, 20.0) and ticket[3].values == (2.0, 3.0)
    assert ticket[4].values == pytest.approx((1.05, 2.05))
    assert dense[5].values == (0.0, 0.0)
    # of 20 epochs the last two, 1.1 and 1.05, over the two before, 1.2 and 1.15
    assert ticket[5].values[0] == pytest.approx(2.15 / 2.35 - 1)
    svg = drawn(figure)["svg"].decode()
    assert ">imp, dense<" in svg and ">imp, ticket<" in svg and ">cosine<" in svg


def test_losses_of_other_kinds_have_panels_of_their_own(made):
    runs = [trained(made, 0), trained(made, 0, "cross_entropy", group="b")]
    _, figure = training.build(made.subject(*runs)).blocks
    svg = drawn(figure)["svg"].decode()
    assert ">cosine<" in svg and ">cross entropy<" in svg


def test_an_epochs_loss_is_of_the_runs_that_came_so_far():
    assert [*training._by_epoch([(3.0, 2.0, 1.0), (5.0,)])] == [(3.0, 5.0), (2.0,), (1.0,)]
    assert [*training._by_epoch([])] == []


def test_short_trainings_tell_no_tenth_and_without_losses_there_is_nothing(made):
    assert training.still([1.0] * 9) is None and training.still([0.0] * 20) is None
    assert training.build(made.subject(made.imp(0, 0.5, 0.6))) is None
