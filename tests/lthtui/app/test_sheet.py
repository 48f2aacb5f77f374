"""Lines that are made for the room they have, by themselves."""

from __future__ import annotations

from textual.app import App

from lthtui.heat import Span, painted
from lthtui.legible import contrast
from lthtui.picture import Picture, drawn
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


async def test_text_is_told_from_the_colour_behind_it_in_any_theme():
    app = SheetApp()
    async with app.run_test(size=(30, 6)) as pilot:
        sheet = app.query_one(Sheet)
        for theme in ("textual-dark", "textual-light"):
            app.theme = theme
            await pilot.pause()
            sheet.show(lambda width: [tuple(painted("12%", step / 10) for step in range(11))])
            for text, style, _ in sheet.render_line(0):
                if text.strip():
                    assert contrast(style.color.name, style.bgcolor.name) > 4.5


async def test_pixels_keep_their_colours_whatever_is_beside_them():
    pixels = ["#fde725", "#0000ff", "#fdf0a0", "#0000e0"]  # two columns, two rows
    shown = Picture(2, 2, (2, 2), bytes.fromhex("".join(pixels).replace("#", "")))
    app = SheetApp()
    async with app.run_test(size=(30, 6)) as pilot:
        sheet = app.query_one(Sheet)
        sheet.show(lambda width: drawn(shown, width))
        await pilot.pause()
        styles = [style for text, style, _ in sheet.render_line(0) if "▀" in text]
        found = [style.color.name for style in styles] + [style.bgcolor.name for style in styles]
        assert found == pixels
