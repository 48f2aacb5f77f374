"""Every text can be read, in themes of all kinds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.style import Style
from rundirs import populate
from textual.css import stylesheet

from lthtui.legible import SEEN, contrast

from .conftest import screen

LEAST = 2.4  # numbers of lines beside a text are fainter than 3, which all else keeps


LINES = re.compile("[│╭╰┤┈\u2801-\u28ff]")  # of borders and charts, but not below tabs


def faint(app):
    """Words and lines in view that hardly differ from what they are drawn on."""
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            word = any(letter.isalnum() for letter in segment.text)
            least = LEAST if word else SEEN if LINES.search(segment.text) else 0
            style = segment.style or Style()
            if style.color and style.color.triplet and style.bgcolor and style.bgcolor.triplet:
                ink, paper = style.color.triplet.hex, style.bgcolor.triplet.hex
                if contrast(ink, paper) < least:
                    yield segment.text.strip(), ink, paper


@pytest.mark.parametrize("theme", ["textual-light", "solarized-light", "dracula", "ansi-dark"])
async def test_words_can_be_read_and_lines_be_seen(running, root, theme):
    populate(root)
    async with running(size=(120, 40)) as pilot:
        pilot.app.theme = theme
        for keys, shown in (
            (("1", "end"), "training loss"),
            (("enter",), "evaluations"),
            (("right_square_bracket",), "level ◀"),
            (("2",), "devices"),
            (("4",), "ticket"),
        ):
            await pilot.press(*keys)
            await pilot.settle(lambda shown=shown: shown in screen(pilot.app))
            assert not list(faint(pilot.app))


async def test_styles_are_parsed_once_for_a_theme(running, root, monkeypatch):
    parsed, real = [], stylesheet.parse

    def parse(scope, css, read_from, **more):
        parsed.append(Path(read_from[0]).name)
        return real(scope, css, read_from, **more)

    monkeypatch.setattr(stylesheet, "parse", parse)
    async with running() as pilot:
        await pilot.press("2")
        for times, theme in enumerate(("nord", "solarized-light"), start=1):
            assert parsed.count("lthtui.tcss") == times
            pilot.app.theme = theme
            await pilot.settle()
            colours = pilot.app.current_theme.to_color_system().generate()
            assert pilot.app.screen.styles.background.hex == colours["background"]
