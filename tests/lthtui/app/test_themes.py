"""Every text can be read, in themes of all kinds."""

from __future__ import annotations

from pathlib import Path

import pytest
from rundirs import populate
from textual.css import stylesheet

from lthtui.legible import contrast

from .conftest import screen

LEAST = 2.4  # numbers of lines beside a text are fainter than 3, which all else keeps


def faint(app):
    """Words in view that hardly differ from what they are drawn on."""
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            style = segment.style
            if not any(letter.isalnum() for letter in segment.text) or style is None:
                continue
            if style.color and style.color.triplet and style.bgcolor and style.bgcolor.triplet:
                ink, paper = style.color.triplet.hex, style.bgcolor.triplet.hex
                if contrast(ink, paper) < LEAST:
                    yield segment.text.strip(), ink, paper


@pytest.mark.parametrize("theme", ["textual-light", "solarized-light", "nord", "ansi-dark"])
async def test_words_can_be_read(running, root, theme):
    populate(root)
    async with running(size=(120, 40)) as pilot:
        pilot.app.theme = theme
        for place, shown in (("1", "digits-imp"), ("2", "devices"), ("4", "ticket")):
            await pilot.press(place)
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
