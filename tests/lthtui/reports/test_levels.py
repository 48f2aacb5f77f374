"""Every level of a report's runs, whichever is picked."""

from dataclasses import replace

import pytest
from reported import level

from lthtui.reports.sections import levels


def test_levels_stand_with_their_gain_run_by_run_and_how_many_picked_them(made):
    runs = [
        made.run("imp", 0, level(0, 1.0, 0.5), level(1, 0.5, 0.6), level(2, 0.25, 0.5), winner=1),
        made.run("imp", 1, level(0, 1.0, 0.4), level(1, 0.5, 0.6, val=0.7)),
    ]
    (table,) = levels.build(made.subject(*runs)).blocks
    found = {row[1]: row for row in table.rows}
    assert [*found] == ["0", "1", "2"]
    assert found["1"][3].values == (0.6, 0.7) and found["1"][4].values == (0.6, 0.6)
    assert found["1"][5].values == pytest.approx((0.1, 0.2))
    assert found["2"][2].values == (0.25,) and found["2"][5].values == (0.0,)
    assert [row[6] for row in table.rows] == ["0 of 2", "2 of 2", "0 of 2"]


def test_the_best_so_far_of_a_run_under_way_is_not_picked_yet(made):
    done, going = (made.imp(seed, 0.5, 0.6) for seed in range(2))
    (table,) = levels.build(
        made.subject(done, replace(going, status="running", final=False))
    ).blocks
    assert [row[6] for row in table.rows] == ["0 of 1", "1 of 1"]  # of those that picked


def test_methods_that_pick_by_balanced_accuracy_are_told_by_it_too(made):
    levels_of = [
        level(0, 1.0, 0.8, val_balanced=0.3, test_balanced=0.35),
        level(1, 0.5, 0.7, val_balanced=0.5, test_balanced=0.45),
    ]
    params = {"select.metric": "balanced_accuracy"}
    balanced = made.run("imp", 0, *levels_of, winner=1, params=params)
    plain = made.run("lt", 0, level(1, 0.5, 0.6), level(2, 0.25, 0.6))
    table, other = levels.build(made.subject(balanced, plain)).blocks
    assert (table.name, other.name) == ("levels", "levels-balanced-accuracy")
    assert {row[0] for row in table.rows} == {"imp", "lt"} and {row[0] for row in other.rows} == {
        "imp"
    }
    assert table.rows[1][5].values == pytest.approx((-0.1,))
    assert [number.values for number in other.rows[1][3:6]] == [
        (0.5,),
        (0.45,),
        pytest.approx((0.1,)),
    ]
    assert "balanced" in other.caption and "balanced" not in table.caption


def test_of_single_levels_and_of_searches_there_is_nothing_to_tell(made):
    dense, searched = made.run("dense", 0, level(0, 1.0, 0.5)), level(0, 0.5, 0.5, search=True)
    found = made.run("search", 0, searched, level(1, 0.5, 0.6))
    assert levels.build(made.subject(dense, found)) is None
