"""The growing text by itself."""

from __future__ import annotations

from textual.app import App
from textual.widgets import Static, TabbedContent, TabPane

from lthtui.logtail import Chunk
from lthtui.widgets.log import LogView


class LogApp(App):
    def compose(self):
        with TabbedContent():
            with TabPane("first", id="first"):
                yield Static("first")
            with TabPane("log", id="log"):
                yield LogView()

    @property
    def log_view(self):
        return self.query_one(LogView)

    @property
    def lines(self):
        view = self.log_view
        return [view.render_line(y).text.strip() for y in range(view.size.height)]

    def grow(self, first, last):
        lines = tuple(f"line {number}" for number in range(first, last))
        self.log_view.show(Chunk(lines, fresh=first == 0))


async def test_the_newest_line_stays_in_view_in_any_window():
    app = LogApp()
    async with app.run_test(size=(60, 20)) as pilot:
        app.grow(0, 100)  # while another tab is shown
        await pilot.pause()
        app.query_one(TabbedContent).active = "log"
        await pilot.pause()
        assert app.lines[-1] == "line 99"
        for height in (8, 40, 12):
            await pilot.resize_terminal(60, height)
            await pilot.pause()
            assert app.lines[-1] == "line 99" and len(app.lines) > 5
        app.grow(100, 110)
        await pilot.pause()
        assert app.lines[-1] == "line 109"


async def test_who_scrolled_up_stays_there_until_the_end_is_back_in_view():
    app = LogApp()
    async with app.run_test(size=(60, 20)) as pilot:
        app.query_one(TabbedContent).active = "log"
        app.grow(0, 100)
        await pilot.pause()
        app.log_view.focus()
        await pilot.press("home")
        app.grow(100, 110)
        await pilot.resize_terminal(60, 14)
        await pilot.pause()
        assert app.lines[0] == "line 0"
        await pilot.press("end")
        app.grow(110, 120)
        await pilot.pause()
        assert app.lines[-1] == "line 119"
