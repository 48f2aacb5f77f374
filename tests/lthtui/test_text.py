import unicodedata

import pytest

from lthtui.text import clean, clean_line

HOSTILE = {
    "OSC 52 writes the clipboard": "a\x1b]52;c;ZXZpbA==\x07b",
    "CSI clears the screen": "a\x1b[2J\x1b[Hb",
    "C1 control sequence introducer": "a\x9b31mb",
    "carriage return hides a line": "rm -rf /\rharmless",
    "backspaces hide text": "evil\b\b\b\bgood",
    "bidi override": "abc\u202egnp.exe",
    "bidi isolate": "a\u2066b\u2069",
    "zero width": "ad\u200bmin\u200d\ufeff",
    "soft hyphen": "ad\u00admin",
    "undecodable byte": b"a\xffb".decode("utf-8", "surrogateescape"),
    "tag characters": "a\U000e0041b",
    "line separator": "a\u2028b",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_hidden_reaches_a_terminal(text):
    shown = clean(text)
    assert shown.isprintable()
    assert "\\" in shown
    shown.encode("utf-8")


def test_escapes_are_readable():
    assert clean("\x1b[2J") == "\\x1b[2J"
    assert clean("\u202e") == "\\u202e"
    assert clean("\U000e0041") == "\\U000e0041"


def test_every_invisible_character_of_unicode_is_escaped():
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    characters = [chr(code) for code in range(0x110000)]
    bad = [c for c in characters if unicodedata.category(c) in hidden and c not in "\n\t"]
    assert [hex(ord(c)) for c in bad if clean(c) == c] == []


def test_ordinary_text_is_left_alone():
    text = "Größe 10 µm\t→ 模型 ✓ a[/b] [red] back\\slash\nsecond line"
    assert clean(text) == text


def test_long_lines_are_cut_and_say_so():
    assert clean("x" * 10 + "\nshort", limit=5) == "xxxxx… (10 characters)\nshort"


def test_a_line_of_a_megabyte_is_cut_before_it_is_searched():
    shown = clean("\x1b" * 2**20)
    assert len(shown) < 4 * 2000 + 40


def test_a_single_line_stays_one():
    assert clean_line("a\nb\tc\x1b") == "a\\nb c\\x1b"
    assert len(clean_line("x" * 999, 20)) < 50
