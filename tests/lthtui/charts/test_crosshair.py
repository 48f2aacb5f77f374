"""What a cross-hair reads, and what the mouse does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn import SIZE, ends, looking, over_density, over_steps, seen

from lthtui.charts import ASCII, PLAIN, Chart, Line, Panel, Series, Trace, View, draw, to_text
from lthtui.charts.plot import Plot
from lthtui.charts.readout import readings, step


class TestCrossHair:
    def test_it_goes_from_point_to_point(self):
        viewer = looking(over_density())
        went = []
        for by in (1, -1, -1, 1, -10, 10):
            viewer.cross(by)
            seen(viewer)
            went.append(viewer.view.cursor)
        assert went == [0.05, 0.1, 0.2, 0.1, 1.0, 0.05]

    def test_it_always_moves_on_screen(self):
        viewer = looking(over_steps(np.zeros(100_000)))
        viewer.cross(-1)
        columns = []
        for _ in range(5):
            columns.append(viewer.plot.dot(viewer.view.cursor))
            viewer.cross(-1)
        assert columns == [columns[0] - turn for turn in range(5)]
        viewer.cross(-10)
        viewer.cross(5)
        assert viewer.plot.dot(viewer.view.cursor) == columns[0] - 10

    def test_what_is_seen_moves_along(self):
        viewer = looking(over_steps(range(101)))
        viewer.view = View(x=(40.0, 60.0), cursor=60.0)
        seen(viewer)
        viewer.cross(1)
        low, high = ends(viewer)
        assert low < viewer.view.cursor == 61 < high and high - low == pytest.approx(20)

    def test_it_stays_with_the_line_in_focus(self):
        sparse = Series("b", [0, 50, 100], [1, 1, 1])
        chart = Chart(series=[Series("a", range(101), [0] * 101), sparse])
        plot = Plot.of(chart, View(), SIZE)
        assert step(chart, View(cursor=50.0), plot, 1) == 51
        assert step(chart, View(cursor=50.0, focus="b"), plot, 1) == 100

    def test_readings_are_a_lines_own_points(self):
        chart = Chart(series=[Series("a", [0, 10], [1.0, 5.0]), Series("b", [0, 4], [2.0, 8.0])])
        read = readings(chart, View(cursor=4.0))
        assert (read["a"].x, read["a"].y) == (0, 1) and (read["b"].x, read["b"].y) == (4, 8)
        assert set(readings(chart, View(cursor=6.0))) == {"a"}  # b has ended before
        assert readings(chart, View()) == {}

    def test_differences_are_to_the_baseline_or_to_a_line(self):
        series = [Series("a", [0], [0.75]), Series("b", [0], [0.5])]
        chart = Chart(series=series, baseline=0.625, y_unit="percent")
        gains = {label: one.gain for label, one in readings(chart, View(cursor=0.0)).items()}
        assert gains == {"a": 0.125, "b": -0.125}
        read = readings(chart, View(cursor=0.0, reference="b"))
        assert {label: one.gain for label, one in read.items()} == {"a": 0.25, "b": 0.0}

    def test_the_legend_reads_values_out(self):
        viewer = looking(over_density(baseline=0.625))
        viewer.view = View(cursor=0.2)
        head = seen(viewer).split("\n")[0]
        assert head == "weights kept 20.00%  vs dense  ━━ imp 80.00% +17.50  ╌╌ dense 62.50%"

    def test_the_legend_tells_spread_and_a_place_of_its_own(self):
        series = Series("a", [0, 1], [2.0, 3.0], low=[1, 2.5], high=[3, 4], count=3)
        chart = Chart(series=[series], x_label="step", x_unit="count")
        text = to_text(draw(chart, *SIZE, PLAIN, View(cursor=0.0)).rows)
        assert "step 0  ━━ a (n=3) 2±1" in text
        text = to_text(draw(chart, *SIZE, PLAIN, View(cursor=0.75)).rows)
        assert "━━ a (n=3) 3 2.5–4 @1" in text

    def test_it_says_of_how_many_runs_a_mean_is_where_those_are_fewer(self):
        y = [Trace([1.0, 2.0, 4.0], {"step": [0, 1, 2]}), Trace([3.0, 4.0], {"step": [0, 1]})]
        viewer = looking(Panel(lines=[Line("a", y)]))
        viewer.view = View(cursor=1.0)
        assert seen(viewer).split("\n")[0].startswith("step 1  ━━ a (n=2) 3±1.4  mean ± std")
        viewer.view = View(cursor=2.0)
        assert seen(viewer).split("\n")[0].startswith("step 2  ━━ a (n=2) 4 n=1  mean ± std")

    def test_names_are_cut_before_their_values(self):
        name = "imp mobilenet_v2 cross_entropy · table1-cifar10-1pct-cpu 多"
        series = Series(name, [0, 1], [2.0, 3.0], low=[1, 2.5], high=[3, 3.5], count=3)
        chart = Chart(title="level 4", series=[series], x_label="epoch", y_label="loss")
        for look, width, found in (
            (PLAIN, 40, "━━ imp mobilenet_v2 cross_… 多 (n=3) 2±1"),
            (PLAIN, 24, "━━ imp mob… 多 (n=3) 2±1"),
            (ASCII, 24, "** imp mo~ ?? (n=3) 2+-1"),
        ):
            rows = to_text(draw(chart, width, 20, look, View(cursor=0.0)).rows).split("\n")
            assert rows[0].split("  ")[:2] == ["level 4", "loss"]
            assert found in rows

    def test_a_small_chart_with_a_long_name_reads_a_value_out(self):
        names = "imp rand fraction=0.04 · sizes-cifar10", "other"
        lines = [Series(name, [1, 0.5], [0.25, 0.5], marks=[(0.5, 0.5, "◆")]) for name in names]
        looks = {"x_label": "weights kept", "x_unit": "percent", "y_unit": "percent"}
        chart = Chart(
            series=lines, y_label="validation accuracy", baseline=0.25, marks_label="won", **looks
        )
        for one, found in (
            (
                chart,
                ["weights kept 50.00%  vs dense", "━● imp rand fraction=… 50.00% +25.00  +4 more"],
            ),
            (
                replace(chart, baseline=None),
                [
                    "validation accuracy  weights kept 50.00%",
                    "━● imp rand fraction=0.04 · … 50.00%  +2 more",
                ],
            ),
        ):
            rows = to_text(draw(one, 46, 10, PLAIN, View(cursor=0.5)).rows).split("\n")
            assert rows[:2] == found

    def test_names_leave_room_to_say_how_much_does_not_fit(self):
        names = "x" * 40, "y" * 40, "z" * 40
        chart = Chart(series=[Series(name, [0, 1], [0, 1]) for name in names], y_label="loss")
        rows = to_text(draw(chart, 40, 10, PLAIN, View()).rows).split("\n")
        assert rows[:2] == [f"loss  ━● {'x' * 26}…", f"━■ {'y' * 26}…  +1 more"]

    def test_lines_without_a_value_there_say_so(self):
        viewer = looking(over_steps(range(101), range(51)))
        viewer.view = View(cursor=80.0)
        assert "━■ b –" in seen(viewer)

    def test_a_reading_that_is_no_number_is_shown(self):
        viewer = looking(over_steps([1.0, float("nan"), 2.0]))
        viewer.view = View(cursor=1.0)
        assert "a nan" in seen(viewer)

    def test_it_is_a_line_with_a_dot_on_each_series(self):
        viewer = looking(over_steps([0.0] * 11, [1.0] * 11))
        viewer.view = View(cursor=5.0)
        rows = seen(viewer).split("\n")
        column = viewer.plot.left + viewer.plot.column(5.0)
        marks = "".join(row[column] for row in rows[viewer.plot.top :][: viewer.plot.height])
        assert marks.count("●") == marks.count("■") == 1
        assert marks.count("│") == viewer.plot.height - 2


class TestMouse:
    def cell(self, viewer, x, y):
        """The cell that shows a point."""
        plot = viewer.plot
        return plot.left + plot.column(x), plot.top + plot.row(y)

    def test_a_click_puts_the_cross_hair_on_the_nearest_point(self):
        viewer = looking(over_density())
        column, row = self.cell(viewer, 0.2, 0.8)
        viewer.press((column + 1, row), False)
        viewer.release((column + 1, row))
        assert viewer.view.cursor == 0.2
        assert viewer.view.pointer == pytest.approx(0.8, abs=0.02)

    def test_the_line_nearest_to_the_mouse_is_named_first(self):
        viewer = looking(over_steps([0.0] * 9, [5.0] * 9, [9.0] * 9))
        for y, first in ((5.2, "━■ b"), (8.0, "━▲ c")):
            cell = self.cell(viewer, 4.0, y)
            viewer.press(cell, False)
            viewer.release(cell)
            assert seen(viewer).split("\n")[0].split("  ")[1].startswith(first)

    def test_the_wheel_keeps_what_it_points_at(self):
        viewer = looking(over_steps(range(101)))
        cell = self.cell(viewer, 25.0, 50.0)
        x, _ = viewer.plot.at(*cell)
        viewer.wheel(cell, 1)
        low, high = ends(viewer)
        assert high - low == pytest.approx(80) and (x - low) / 80 == pytest.approx(x / 100)
        before, (_, y) = viewer.plot.y, viewer.plot.at(*cell)
        viewer.wheel(cell, 1, upright=True)
        seen(viewer)
        after = viewer.plot.y
        assert after.share(y) == pytest.approx(before.share(y))
        assert after.high - after.low == pytest.approx((before.high - before.low) / 1.25)

    def test_a_drag_moves_what_was_seen_when_it_began(self):
        viewer = looking(over_steps(range(101)))
        viewer.view = View(x=(40.0, 60.0))
        seen(viewer)
        width = viewer.plot.width
        viewer.press((40, 10), False)
        for column in (45, 35, 40 + width // 2):
            viewer.drag((column, 10))
            seen(viewer)
        low, high = ends(viewer)
        assert (low, high) == pytest.approx((40 - 20 * (width // 2) / width, high))
        viewer.release((40 + width // 2, 10))
        assert viewer.view.cursor is None and not viewer.drag((0, 0))

    def test_a_box_is_zoomed_into_whichever_way_it_is_drawn(self):
        viewer = looking(over_steps(range(101)))
        corner, other = self.cell(viewer, 60.0, 70.0), self.cell(viewer, 20.0, 30.0)
        (right, top), (left, bottom) = viewer.plot.at(*corner), viewer.plot.at(*other)
        viewer.press(corner, True)
        assert viewer.drag(other) and not viewer.drag(other)
        rows = seen(viewer).split("\n")
        ((left_cell, bottom_cell), (right_cell, top_cell)) = other, corner
        assert [rows[top_cell][left_cell], rows[top_cell][right_cell]] == ["┌", "┐"]
        assert [rows[bottom_cell][left_cell], rows[bottom_cell][right_cell]] == ["└", "┘"]
        assert rows[top_cell][left_cell + 1 : right_cell] == "─" * (right_cell - left_cell - 1)
        viewer.release(other)
        assert "┘" not in seen(viewer)
        assert viewer.view.x == (left, right) and viewer.view.y == (bottom, top)
        viewer.press((40, 10), True)
        viewer.release((40, 12))
        assert viewer.view.x == (left, right)  # a box without a width
        viewer.press((40, 10), True)
        viewer.drag((50, 12))
        viewer.axis()
        assert viewer.view.box is None
