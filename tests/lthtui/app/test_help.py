"""The list of keys."""

from __future__ import annotations

from math import ceil

from rundirs import populate

from lthtui.screens.help import arranged, keys_of
from lthtui.widgets.chart import ChartView

from .conftest import screen

KEYS = [("a", "one"), ("ctrl+b", "two"), ("c", "three"), ("d", "four"), ("e", "five")]


def test_keys_stand_in_as_many_columns_as_it_takes_to_see_them():
    assert arranged(KEYS, 80, 5).splitlines()[1] == "ctrl+b  two"
    assert arranged(KEYS, 80, 3).splitlines() == [
        "     a  one          d  four",
        "ctrl+b  two          e  five",
        "     c  three",
    ]
    assert len(arranged(KEYS, 20, 3).splitlines()) == 5  # too narrow for two
    assert arranged([], 80, 24) == ""


async def test_all_keys_of_a_chart_are_seen_at_once_where_there_is_room(running, root):
    populate(root)
    async with running(size=(160, 48)) as pilot:
        pilot.app.screen.query_one("#curve", ChartView).focus()
        await pilot.settle()
        wanted = {what for _, what in keys_of(pilot.app.screen)}
        await pilot.press("question_mark")
        await pilot.settle(lambda: "esc closes" in screen(pilot.app))
        assert {what for what in wanted if what not in screen(pilot.app)} == set()
        assert "^drag  Zoom into a box" in screen(pilot.app)


async def test_a_small_terminal_has_two_columns_of_the_longest_list(running, root):
    populate(root)
    async with running(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await pilot.settle(lambda: "curve  training" in screen(pilot.app))
        keys = keys_of(pilot.app.screen)
        await pilot.press("question_mark")
        await pilot.settle(lambda: "esc closes" in screen(pilot.app))
        listed = pilot.app.screen.query_one("#keys").region
        assert len(keys) > 50 and listed.height == ceil(len(keys) / 2) and listed.right < 80
