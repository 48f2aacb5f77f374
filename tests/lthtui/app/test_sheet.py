"""Lines that are made for the room they have, by themselves."""

from __future__ import annotations

from textual.app import App

from lthtui.heat import Span
from lthtui.widgets.sheet import Sheet

from .conftest import screen


class SheetApp(App):
    CSS_PATH = "../../../lthtui/styles/lthtui.tcss"

    def compose(self):
        yield Sheet()


async def test_lines_are_as_wide_as_what_is_left_of_the_scrollbar():
    app = SheetApp()
    async with app.run_test(size=(30, 6)) as pilot:
        sheet = app.query_one(Sheet)
        sheet.show(lambda width: [(Span("x" * (width - 1) + "|"),)] * 20)
        await pilot.pause()
        assert sheet.show_vertical_scrollbar and not sheet.show_horizontal_scrollbar
        assert all(row.startswith(f" {'x' * 26}|") for row in screen(app).splitlines())
