"""Every level of a report's runs, whichever is picked."""

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


def test_of_single_levels_and_of_searches_there_is_nothing_to_tell(made):
    dense, searched = made.run("dense", 0, level(0, 1.0, 0.5)), level(0, 0.5, 0.5, search=True)
    found = made.run("search", 0, searched, level(1, 0.5, 0.6))
    assert levels.build(made.subject(dense, found)) is None
