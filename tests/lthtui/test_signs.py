"""ASCII instead of signs."""

from __future__ import annotations

import ast
import unicodedata
from itertools import chain, combinations
from pathlib import Path

import pytest
from textual.keys import KEY_DISPLAY_ALIASES

import lthtui
from lthtui import board, heat, verdict
from lthtui.charts.model import LETTERS
from lthtui.signs import line, plain, spelled
from lthtui.widgets.plain import named

UNSHOWN = {"text.py", "yamlfile.py", "exports.py", "signs.py"}  # signs to look for in texts
TOGETHER = {  # signs that can stand in the same place and mean different things
    "statuses": [*board.GLYPHS.values()],
    "tickets and statuses": [verdict.MARK, verdict.PICKED, *board.GLYPHS.values()],
    "ends of a figure": ["±", "…", "×", "°", "%"],
    "signs before a figure": ["≈", "+", "−"],
    "within a name": ["·", "…", "-", "_"],
    "parts of a bar": ["█", "▌", "·", " "],
    "layers": [heat.BLOCKS[0], heat.BLOCKS[3], heat.BLOCKS[-1], "·", " "],
    "folds": ["▾", "▸", "└", " "],
    "track of a slider": ["●", "━", "┄"],
    "arrows of a slider": ["◀", "▶"],
    "orders": ["↑", "↓"],
    "columns beyond": ["←", "→"],
    "below tabs": ["━", "╸"],
    "in a chart": [*LETTERS, verdict.MARK, verdict.PICKED, "✗", "▲", "▼", "┈", "░"],
}


@pytest.mark.parametrize("place", TOGETHER)
def test_signs_of_a_place_stay_apart(place):
    same = [two for two in combinations(TOGETHER[place], 2) if plain(two[0]) == plain(two[1])]
    assert same == []


def test_there_is_one_for_every_sign_of_the_app():
    files = (path for path in Path(lthtui.__file__).parent.rglob("*.py"))
    shown = chain.from_iterable(_texts(path) for path in files if path.name not in UNSHOWN)
    signs = {one for text in shown for one in text if unicodedata.category(one)[0] in "PSN"}
    assert {"●", "◀", "…"} <= signs
    unknown = {"?", "\ufffd"}  # which stands for what could not be read
    assert {one for one in signs if plain(one) == "?"} <= unknown


def _texts(path):
    """The texts in a file, without those that document it."""
    inside = [*ast.walk(ast.parse(path.read_text()))]
    told = {id(one.value) for one in inside if isinstance(one, ast.Expr)}
    return [
        one.value
        for one in inside
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and id(one) not in told
    ]


@pytest.mark.parametrize(
    ("text", "same"),
    [("● läuft – 3±1 %", "* lauft - 3+1 %"), ("╭─╮│", "+-+|"), ("日本", "????"), ("e\u0301", "e")],
)
def test_signs_become_ascii_of_the_same_width(text, same):
    assert plain(text) == same


def test_with_room_a_sign_may_take_two_cells():
    assert spelled("3 ± 1…") == "3 +- 1~"


@pytest.mark.parametrize(
    ("texts", "same"),
    [
        (["val 3±1  test ", "2±1   ▸"], ["val 3+-1 test ", "2+-1  >"]),
        (["3±1…", " "], ["3+-1~", ""]),
        (["3±1 2±1  ", "█"], ["3+-1 2+1 ", "#"]),  # one of them finds no room
        (["3±1│"], ["3+1|"]),
    ],
)
def test_in_a_line_a_sign_takes_a_blank_that_is_behind_it(texts, same):
    assert line(texts) == same
    assert len("".join(same)) == len("".join(texts))


def test_keys_are_named_where_they_have_no_sign():
    assert named("⏎") == "enter" and named("shift+←") == "shift+left" and named("^p") == "^p"
    assert all(named(sign).isascii() for sign in KEY_DISPLAY_ALIASES.values())
