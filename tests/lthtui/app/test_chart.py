"""The chart widget under keys and mouse, in an app of its own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from textual.app import App
from textual.binding import Binding
from textual.containers import Vertical

from lthtui.charts import Line, Panel, Trace
from lthtui.charts.viewer import Viewer
from lthtui.linked import Linked
from lthtui.widgets.chart import ChartView
from lthtui.widgets.plain import Plain


def panel(length=101, name="loss", **options):
    at = {"step": range(length), "epoch": [step / 10 for step in range(length)]}
    lines = [
        Line("a", [Trace([step / 100 for step in range(length)], at)]),
        Line("b", [Trace([1 - step / 100 for step in range(length)], at)] * 2, "#e69f00"),
    ]
    return Panel(name, lines, xs=("step", "epoch"), **options)


class Charts(App):
    """Two linked charts of which one may be hidden."""

    CSS = "ChartView { height: 1fr; border: round white; } .hidden { display: none; }"
    BINDINGS = [Binding("escape", "left")]
    escaped = 0

    def compose(self):
        with Vertical():
            yield ChartView(id="one")
            yield ChartView(id="two")

    def action_left(self):
        self.escaped += 1


@asynccontextmanager
async def shown(size=(80, 40)):
    """The app's pilot, and its first chart in focus."""
    app = Charts()
    async with app.run_test(size=size) as pilot:
        linked = Linked()
        for chart in app.query(ChartView):
            chart.link(linked)
            chart.show(panel())
        one = app.query_one("#one", ChartView)
        one.focus()
        await pilot.pause()
        yield pilot, one


def text(chart):
    return "\n".join(chart.render_line(y).text for y in range(chart.size.height))


async def test_every_binding_does_something_that_there_is():
    for binding in ChartView.BINDINGS:
        name, _, rest = binding.action.partition("(")
        if name == "go":
            assert callable(getattr(Viewer, rest.split("'")[1])), binding
        else:
            assert hasattr(ChartView, f"action_{name}")


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (("h",), "step 100"),
        (("h", "left"), "step 99"),
        (("h", "home", "l", "right"), "step 2"),
        (("h", "shift+left"), "step 90"),
        (("e",), "EMA half-life 5"),
        (("L",), "  log  "),
        (("L", "L"), "  symlog  "),
        (("a",), "epoch"),
        (("b",), "95 % CI"),
        (("b", "b"), "min–max"),
        (("j", "h"), "━━ a"),
        (("j", "d", "h"), "vs a"),
    ],
)
async def test_keys(keys, found):
    async with shown() as (pilot, chart):
        await pilot.press(*keys)
        assert found in text(chart)


async def test_zoom_and_follow_and_reset_by_keys():
    async with shown() as (pilot, chart):
        await pilot.press("plus", "plus")
        low, high = chart.viewer.view.x
        assert high - low == pytest.approx(100 / 2.25)
        await pilot.press("f")
        assert chart.viewer.view.follow
        chart.show(panel(201))
        await pilot.pause()
        assert " 200" in text(chart)
        await pilot.press("less_than_sign")
        assert not chart.viewer.view.follow
        await pilot.press("right_curly_bracket", "shift+up")
        assert chart.viewer.view.y is not None
        await pilot.press("0")
        assert chart.viewer.view.x is chart.viewer.view.y is None
        await pilot.press("t", "minus")
        assert chart.viewer.how.traces and chart.viewer.view.x is None


async def test_escape_hides_the_cross_hair_first_and_then_is_the_screens():
    async with shown() as (pilot, chart):
        await pilot.press("h", "escape")
        assert chart.viewer.view.cursor is None and pilot.app.escaped == 0
        await pilot.press("escape")
        assert pilot.app.escaped == 1


async def test_who_shows_the_keys_is_told_what_escape_does():
    async with shown() as (pilot, chart):
        told = []
        pilot.app.screen.bindings_updated_signal.subscribe(
            pilot.app, lambda screen: told.append(screen)
        )
        seen = []
        for key in ("h", "escape"):
            told.clear()
            await pilot.press(key)
            await pilot.pause()
            seen.append(pilot.app.screen.active_bindings["escape"].binding.description)
            assert told
        assert seen == ["Hide cross-hair", ""]


async def test_a_click_is_a_cross_hair_and_a_second_one_shows_all():
    async with shown() as (pilot, chart):
        plot = chart.viewer.plot
        at = (1 + plot.left + plot.column(50), 1 + plot.top + 3)  # beside and below the border
        await pilot.click(chart, offset=at)
        middle = plot.at(at[0] - 1, at[1] - 1)[0]
        assert chart.viewer.view.cursor == round(middle) in (49, 50, 51)
        await pilot.press("plus")
        await pilot.click(chart, offset=at, times=2)
        assert chart.viewer.view.cursor is chart.viewer.view.x is None


async def test_a_click_on_a_name_draws_its_line_bright_and_again_all():
    async with shown() as (pilot, chart):
        await pilot.press("plus")
        before = chart.viewer.view

        def name():
            """Where the legend names the second line, which goes ahead while it is bright."""
            lines = [strip.text for strip in chart.render_lines(chart.size.region)]
            row = next(row for row, line in enumerate(lines) if "━━ b" in line)
            return lines[row].index("━━ b") + 3, row

        for focus in ("b", "", "b"):
            await pilot.click(chart, offset=name())
            assert chart.viewer.view == replace(before, focus=focus)
        await pilot.click(chart, offset=name(), times=2)
        assert chart.viewer.view == replace(before, focus="")  # and shows no more of x


async def test_a_drag_moves_and_one_of_the_right_button_draws_a_box():
    async with shown() as (pilot, chart):
        await pilot.press("plus")
        low, high = chart.viewer.view.x
        await pilot.mouse_down(chart, offset=(40, 8))
        await pilot.hover(chart, offset=(50, 8))
        await pilot.mouse_up(chart, offset=(50, 8))
        moved = chart.viewer.view.x
        assert moved[0] < low and moved[1] - moved[0] == pytest.approx(high - low)
        await pilot.mouse_down(chart, offset=(30, 5), button=3)
        await pilot.mouse_up(chart, offset=(50, 10))
        x, y = chart.viewer.view.x, chart.viewer.view.y
        assert moved[0] < x[0] < x[1] < moved[1] and 0 < y[0] < y[1] < 1


async def test_linked_charts_share_x_but_not_y():
    async with shown() as (pilot, chart):
        two = pilot.app.query_one("#two", ChartView)
        await pilot.press("h", "h", "plus", "right_curly_bracket")
        await pilot.pause()
        assert two.viewer.view.x == chart.viewer.view.x and two.viewer.view.y is None
        assert "step 99" in text(two)
        two.show(panel(201))
        await pilot.press("0")
        await pilot.pause()
        assert "200" in text(chart)  # the end of both
        await two.remove()
        await pilot.press("h")
        assert "200" not in text(chart)
        assert "step 98" in text(chart)


async def test_hidden_charts_are_not_drawn(monkeypatch):
    drawn = []
    rows = Viewer.rows
    monkeypatch.setattr(Viewer, "rows", lambda self, *rest: drawn.append(self) or rows(self, *rest))
    async with shown() as (pilot, chart):
        two = pilot.app.query_one("#two", ChartView)
        two.add_class("hidden")
        await pilot.pause()
        drawn.clear()
        two.show(panel(300))
        await pilot.press("h", "plus")
        await pilot.pause()
        assert set(drawn) == {chart.viewer}
        two.remove_class("hidden")
        await pilot.pause()
        assert two.viewer in drawn


async def test_another_theme_and_size_are_drawn_anew():
    async with shown() as (pilot, chart):
        dark = [segment.style for segment in chart.render_line(3)]
        pilot.app.theme = "textual-light"
        await pilot.pause()
        assert [segment.style for segment in chart.render_line(3)] != dark
        await pilot.resize_terminal(50, 20)
        await pilot.pause()
        assert {chart.render_line(y).cell_length for y in range(chart.size.height)} == {48}


async def test_nothing_to_show_is_blank():
    async with shown() as (pilot, chart):
        chart.show(None)
        await pilot.press("h", "plus", "e", "escape")
        await pilot.click(chart, offset=(20, 5))
        assert not text(chart).strip()


async def test_a_terminal_without_braille_has_letters():
    class Ascii(App):
        def compose(self):
            yield ChartView()

        def get_line_filters(self):
            return [Plain()]

    app = Ascii()
    async with app.run_test(size=(60, 15)) as pilot:
        chart = app.query_one(ChartView)
        chart.show(panel())
        await pilot.pause()
        assert text(chart).isascii() and "**" in text(chart) and "oo" in text(chart)


async def test_only_lines_that_changed_are_painted_again(monkeypatch):
    painted = set()
    line = ChartView.render_line
    monkeypatch.setattr(ChartView, "render_line", lambda on, y: painted.add(y) or line(on, y))
    async with shown() as (pilot, chart):
        before = [line(chart, y) for y in range(chart.size.height)]
        painted.clear()
        chart.show(panel())
        await pilot.pause()
        assert painted == set()
        news = panel()
        news.lines[0].traces[0].y[60] = 0.9  # a point above the line it was on
        chart.show(news)
        await pilot.pause()
        after = [line(chart, y) for y in range(chart.size.height)]
        assert painted == {y for y in range(len(after)) if after[y] != before[y]} != set()
        assert len(painted) < chart.size.height / 2
        painted.clear()
        chart.add_class("hidden")
        chart.show(panel())
        chart.remove_class("hidden")
        await pilot.pause()
        assert [line(chart, y) for y in range(chart.size.height)] == before
        assert painted == set(range(chart.size.height))
