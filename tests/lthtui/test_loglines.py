"""One line of a log: what is shown of it, in which tones, and whether it is a warning."""

from __future__ import annotations

import random

import pytest

from lthtui.loglines import Alarms, alarms, level, parts, read, shown
from lthtui.logsearch import Needle


def tones(data):
    line = read(data)
    return [(line.text[begin:end], tone) for begin, end, tone in parts(line)]


def test_colours_become_those_of_the_theme_and_all_other_escapes_are_seen():
    assert tones(b"a \x1b[1;31mred\x1b[0m b") == [("a ", ""), ("red", "failed"), (" b", "")]
    assert tones(b"\x1b[92mok\x1b[39m \x1b[38;5;3mfew\x1b[m") == [
        ("ok", "running"),
        (" ", ""),
        ("few", "queued"),
    ]
    assert tones(b"\x1b[38;2;31;32;33mown\x1b[48;5;31m same") == [("own same", "")]
    assert shown(b"\x1b[2K\r\x1b[Kdone\x1b[K") == "done"
    assert shown(b"\x1b[31mred\x07 \xff \xe2\x80\xae") == "red\\x07 \ufffd \\u202e"
    for hostile in (b"\x1b]52;c;AAAA\x07", b"\x1b[2J", b"\x1bc", b"\x1b[8;1H", b"\x9b31m"):
        assert "\x1b" not in shown(hostile) and "\x9b" not in shown(hostile)
        assert shown(hostile) not in ("", " ")
    assert shown(b"\x1b[8mhidden\x1b[30;40mtoo") == "hiddentoo"
    assert [tone for _, tone in tones(b"\x1b[8mhidden\x1b[30;40mtoo")] == [""]


def test_a_line_with_colours_is_cut_where_one_without_is():
    line = read(b"\x1b[31m" + b"x" * 40_000 + b"\x1b[0m" + b"y" * 10_000)
    assert line.text == "x" * 20_000 + "… (50,000 characters)" and parts(line) == [(0, 20_021, "")]


def test_times_are_dim_and_levels_have_their_colours():
    assert tones(b"12:00:01 level 1  loss 0.5") == [("12:00:01", "dim"), (" level 1  loss 0.5", "")]
    assert tones(b"2026-01-02 12:00:01,123 WARNING x")[1] == (" WARNING x", "queued")
    assert tones(b"[2026-01-02T12:00:01Z] ERROR x") == [
        ("[2026-01-02T12:00:01Z]", "dim"),
        (" ERROR x", "failed"),
    ]
    assert tones(b"12:00:01 \x1b[32mfine") == [("12:00:01", "dim"), (" ", ""), ("fine", "running")]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("12:00:01 warning: layer4 is empty", "warning"),
        ("x.py:3: UserWarning: old", "warning"),
        ("[WARN] slow", "warning"),
        ("torch.cuda.OutOfMemoryError: CUDA out of memory.", "error"),
        ("Traceback (most recent call last):", "error"),
        ("12:00:01 failed", "error"),
        ("ERROR disk", "error"),
        ("error: no such file", "error"),
        ("Segmentation fault (core dumped)", "error"),
        ("epoch 3  train error 12.5%  val_error 0.2", ""),
        ("0 runs failed so far", ""),
        ("reading no_errors.txt", ""),
        ("forewarned is forearmed", ""),
    ],
)
def test_levels_are_told_by_words(text, what):
    assert level(text) == what
    assert [line.text for line in alarms(text.encode(), 0)] == [text] * bool(what)


def test_what_belongs_to_a_warning_or_a_traceback_is_kept_with_it():
    log = """\
12:00 begin
Traceback (most recent call last):
  File "x.py", line 1, in <module>
    main()
KeyboardStop
12:01 between
x.py:3: UserWarning: old
  warnings.warn("old")
12:02 end
  indented below nothing""".splitlines()
    keeps = Alarms().keeps
    assert [at for at, line in enumerate(log) if keeps(line)] == [1, 2, 3, 4, 6, 7]


def test_alarms_are_those_that_are_found_line_by_line():
    draw = random.Random(1)
    kinds = ["plain", "  indented", "Traceback (most recent call last):", "MyBad", "", "warning: x"]
    for _ in range(200):
        lines = [draw.choice(kinds) for _ in range(draw.randrange(12))]
        keeps = Alarms().keeps
        wanted = [at for at, line in enumerate(lines) if keeps(line)]
        data = "".join(f"{line}\n" for line in lines).encode()
        starts = [sum(len(one) + 1 for one in lines[:at]) for at in wanted]
        found = [*alarms(data, 100)]
        assert [line.start - 100 for line in found] == starts, lines
        assert [line.text for line in found] == [lines[at] for at in wanted]


def test_long_lines_are_shown_and_found_as_a_whole():
    (found,) = Needle("end").lines(b"x" * 15_000 + b" END\n", 0)
    assert found.text.endswith("x END")
