"""What keys do to what is seen of a chart, alone and beside others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn import BLUE, ORANGE, SIZE, ends, looking, over_density, over_steps, seen

from lthtui.charts import PLAIN, Line, Look, Panel, Trace, View
from lthtui.linked import Linked


class TestWindow:
    def test_zooming_in_keeps_the_middle_and_out_again_shows_all(self):
        viewer = looking(over_steps(range(101)))
        viewer.zoom(1)
        assert ends(viewer) == pytest.approx((50 - 50 / 1.5, 50 + 50 / 1.5))
        viewer.zoom(-1)
        assert viewer.view.x is None

    def test_zooming_keeps_what_the_cross_hair_is_at(self):
        viewer = looking(over_steps(range(101)))
        viewer.view = View(cursor=20.0)
        seen(viewer)
        viewer.zoom(1)
        low, high = ends(viewer)
        assert (20 - low) / (high - low) == pytest.approx(0.2)

    def test_zoom_on_a_density_axis_is_in_equal_ratios(self):
        viewer = looking(over_density())
        viewer.zoom(1)
        low, high = ends(viewer)
        assert high / low == pytest.approx(20 ** (1 / 1.5)) and low * high == pytest.approx(0.05)

    def test_moving_ends_where_the_data_do(self):
        viewer = looking(over_steps(range(101)))
        viewer.view = View(x=(40.0, 60.0))
        seen(viewer)
        viewer.pan(1, 0)
        assert ends(viewer) == pytest.approx((45, 65))
        for _ in range(20):
            viewer.pan(1, 0)
            seen(viewer)
        assert ends(viewer) == pytest.approx((80, 100))
        viewer.reset()
        viewer.pan(-1, 0)
        assert viewer.view.x is None

    def test_a_falling_axis_moves_the_way_of_the_screen(self):
        viewer = looking(over_density())
        viewer.view = View(x=(0.1, 0.5))
        seen(viewer)
        viewer.pan(1, 0)
        low, high = ends(viewer)
        assert low < 0.1 and high < 0.5

    def test_y_fits_what_is_seen_of_x(self):
        viewer = looking(over_steps([0.0] * 50 + [100.0] * 50))
        viewer.view = View(x=(0.0, 40.0))
        seen(viewer)
        assert viewer.plot.y.high < 2
        viewer.view = View(x=(0.0, 49.5))  # half way up a rise to a point beyond
        seen(viewer)
        assert 50 <= viewer.plot.y.high < 60

    def test_y_is_zoomed_and_moved_and_reset(self):
        viewer = looking(over_steps(range(101)))
        before = viewer.plot.y
        viewer.zoom_y(1)
        seen(viewer)
        zoomed = viewer.plot.y
        assert zoomed.high - zoomed.low == pytest.approx((before.high - before.low) / 1.5)
        viewer.pan(0, 1)
        seen(viewer)
        assert viewer.plot.y.low == pytest.approx(zoomed.low + (zoomed.high - zoomed.low) / 4)
        viewer.reset()
        seen(viewer)
        assert viewer.plot.y == before

    def test_following_keeps_the_length_and_the_newest_point(self):
        viewer = looking(over_steps(range(101)))
        viewer.view = View(x=(10.0, 30.0))
        seen(viewer)
        viewer.follow()
        assert ends(viewer) == pytest.approx((80, 100))
        viewer.show(over_steps(range(201)))
        assert ends(viewer) == pytest.approx((180, 200))
        viewer.zoom(1)
        assert ends(viewer) == pytest.approx((200 - 20 / 1.5, 200)) and viewer.view.follow
        viewer.pan(-1, 0)
        assert not viewer.view.follow
        before = ends(viewer)
        viewer.show(over_steps(range(301)))
        assert ends(viewer) == before

    def test_following_from_the_whole_shows_the_newest_quarter(self):
        viewer = looking(over_density())
        viewer.follow()
        low, high = ends(viewer)
        assert low == pytest.approx(0.05) and high == pytest.approx(0.05 * 20**0.25)

    def test_another_kind_of_x_has_a_window_of_its_own(self):
        viewer = looking(over_steps(range(101), xs=("step", "epoch")))
        viewer.view = View(x=(40.0, 60.0), cursor=50.0)
        viewer.axis()
        assert ends(viewer) == (0, 10) and viewer.view.cursor is None
        viewer.axis()
        assert ends(viewer) == (40, 60) and viewer.view.cursor == 50


class TestFocus:
    def test_it_goes_through_the_lines_and_back_to_all(self):
        viewer = looking(over_steps([0, 1], [1, 0], [2, 2]))
        went = []
        for by in (1, 1, 1, 1, -1):
            viewer.focus(by)
            went.append(viewer.view.focus)
        assert went == ["a", "b", "c", "", "c"]

    def test_the_line_in_focus_is_bright_in_front_and_named_first(self):
        viewer = looking(over_steps([0.0, 1.0], [1.0, 0.0]))
        viewer.focus(1)
        rows = viewer.rows(*SIZE, Look())
        inks = {
            style.color.triplet.hex
            for row in rows[1:]
            for text, style in row
            if any(0x2800 < ord(one) < 0x2900 for one in text)
        }
        assert BLUE in inks and ORANGE not in inks and len(inks) == 2
        viewer.focus(1)
        assert seen(viewer).split("\n")[0].startswith("━■ b")

    def test_nothing_covers_the_line_in_focus(self):
        viewer = looking(over_steps([0.0, 1.0], [0.0, 1.0]))
        viewer.focus(1)
        drawn = [
            style.color.triplet.hex
            for row in viewer.rows(*SIZE, Look())[1:]
            for text, style in row
            if any(0x2800 < ord(one) < 0x2900 for one in text)
        ]
        assert set(drawn) == {BLUE}

    def test_differences_to_the_line_in_focus_and_back(self):
        viewer = looking(over_steps([0, 1], [1, 0], baseline=0.5))
        viewer.focus(1)
        viewer.refer()
        viewer.view = replace(viewer.view, cursor=0.0)
        assert "vs a" in seen(viewer)
        viewer.refer()
        assert "vs dense" in seen(viewer)


class TestLinked:
    def test_windows_and_cross_hairs_are_shared_by_value(self):
        linked = Linked()
        one = looking(over_steps(range(101)), linked)
        other = looking(over_steps(np.arange(51.0) ** 2), linked)
        told = []
        linked.join(lambda: told.append(1))
        one.view = View(x=(10.0, 30.0), y=(0.0, 1.0), cursor=20.0)
        assert told == [1]
        assert replace(other.view, reach=None, margin=0) == View(x=(10.0, 30.0), cursor=20.0)
        assert "a 400" in seen(other) and ends(other) == (10, 30)
        told.clear()
        one.view = one.view
        assert not told

    def test_other_kinds_of_x_are_left_alone(self):
        linked = Linked()
        one, other = looking(over_steps(range(9)), linked), looking(over_density(), linked)
        one.view = View(x=(2.0, 5.0), cursor=3.0)
        assert replace(other.view, reach=None, margin=0) == View()
        assert ends(other) == (0.05, 1)

    def test_charts_above_one_another_begin_and_end_at_the_same_x(self):
        linked = Linked()
        one = looking(over_steps(range(41)), linked)
        late = {"step": [30.0, 60.0]}
        other = looking(Panel(lines=[Line("a", [Trace([1.0, 2.0], late)])]), linked)
        assert ends(one) == ends(other) == (0, 60)
        one.zoom(1)
        one.reset()
        assert ends(other) == (0, 60)
        one.show(Panel())
        seen(one)
        assert ends(other) == (30, 60)
        other.leave()
        assert linked.reach("step") is None

    def test_charts_above_one_another_show_an_x_in_one_column(self):
        linked, told = Linked(), []
        narrow = looking(over_steps([1.0, 2.0, 3.0]), linked)
        alone = narrow.plot.left
        linked.join(lambda: told.append(1))
        wide = looking(over_steps([0.00001, 0.00002, 0.00003]), linked)
        assert told and wide.plot.left > alone
        seen(narrow)
        assert narrow.plot.left == wide.plot.left and narrow.plot.width == wide.plot.width
        told.clear()
        wide.leave()
        assert told
        seen(narrow)
        assert narrow.plot.left == alone

    def test_who_left_is_told_nothing(self):
        linked, told = Linked(), []
        changed = lambda: told.append(1)  # noqa: E731
        linked.join(changed)
        linked.leave(changed)
        looking(over_steps(range(9)), linked).cross(1)
        assert told == []


class TestKept:
    def test_nothing_is_drawn_again_until_something_changes(self):
        viewer = looking(over_steps(range(9)))
        rows = viewer.rows(*SIZE, PLAIN)
        assert viewer.rows(*SIZE, PLAIN) is rows
        for change in (
            lambda: viewer.cross(1),
            lambda: viewer.average(),
            lambda: viewer.show(over_steps(range(9))),
        ):
            change()
            again = viewer.rows(*SIZE, PLAIN)
            assert again is not rows
            rows = again
        assert viewer.rows(SIZE[0], 10, PLAIN) is not rows

    def test_numbers_are_prepared_once_for_all_that_is_looked_at(self, monkeypatch):
        made = []
        chart = Panel.chart
        monkeypatch.setattr(Panel, "chart", lambda self, how: made.append(how) or chart(self, how))
        viewer = looking(over_steps(range(99)))
        for _ in range(3):
            viewer.zoom(1)
            viewer.cross(1)
            seen(viewer)
        assert len(made) == 1
        viewer.band()
        seen(viewer)
        assert len(made) == 2

    def test_choices_come_round(self):
        viewer = looking(over_steps(range(9), xs=("step", "epoch")))
        start = viewer.how
        for turn, count in (("scale", 3), ("band", 4), ("axis", 2), ("average", 5), ("traces", 2)):
            seen_ways = set()
            for _ in range(count):
                getattr(viewer, turn)()
                seen_ways.add(viewer.how)
            assert len(seen_ways) == count
            assert (viewer.chart.y_scale, viewer.how.band, viewer.chart.x_label) == (
                "linear",
                start.band,
                "step",
            )
        assert viewer.how.half_life == 0 and not viewer.how.traces


@pytest.mark.parametrize("seed", range(12))
def test_no_sequence_of_keys_and_mouse_leaves_the_data(seed):
    """Whatever was done, the range of x is within the data, and there is a way back."""
    dice = np.random.default_rng(seed)
    panels = [
        over_density(baseline=0.625),
        over_steps(dice.normal(size=200), dice.normal(size=50), xs=("step", "epoch")),
        over_steps([5.0]),
        Panel(),
    ]
    viewer = looking(panels[seed % 4])
    keys = {
        "cross": (1, -1, 10, -1000),
        "focus": (1, -1),
        "zoom": (1, 1, -1),
        "zoom_y": (1, -1),
        **dict.fromkeys(("hide", "refer", "reset", "follow", "average", "scale"), ()),
        **dict.fromkeys(("axis", "band", "traces"), ()),
    }
    for _ in range(60):
        cell = int(dice.integers(-3, 90)), int(dice.integers(-3, 25))
        name = str(dice.choice([*keys, "pan", "press", "drag", "release", "wheel"]))
        if name == "pan":
            viewer.pan(int(dice.integers(-1, 2)), int(dice.integers(-1, 2)))
        elif name in ("press", "drag", "release", "wheel"):
            extra = {"press": (bool(dice.integers(0, 2)),), "wheel": (int(dice.choice([-1, 1])),)}
            getattr(viewer, name)(cell, *extra.get(name, ()))
        else:
            getattr(viewer, name)(*([int(dice.choice(keys[name]))] if keys[name] else []))
        rows = viewer.rows(*SIZE, PLAIN)
        assert len(rows) == SIZE[1]
        plot = viewer.plot
        shares = sorted((plot.whole.share(plot.x.low), plot.whole.share(plot.x.high)))
        assert -1e-6 <= shares[0] < shares[1] <= 1 + 1e-6
    viewer.reset()
    assert ends(viewer) == (viewer.plot.whole.low, viewer.plot.whole.high)
