"""The end of a growing log."""

from __future__ import annotations

import os

from lthtui.logtail import FIRST, LONGEST, LogTail
from lthtui.logwindow import LogWindow


class Shown:
    """Applies chunks as the screen does."""

    def __init__(self, path):
        self.tail, self.window = LogTail(path), LogWindow()

    def read(self):
        chunk = self.tail.read()
        if chunk is None:
            return None
        self.window.grow(chunk)
        return [line.text for line in self.window.lines]


def write(path, data):
    with path.open("ab") as file:
        file.write(data)


def test_follows_whole_and_partial_lines(tmp_path):
    log = tmp_path / "log.txt"
    shown = Shown(log)
    assert shown.read() == []
    write(log, b"one\ntw")
    assert shown.read() == ["one", "tw"]
    assert shown.read() is None
    write(log, b"o\nthree\n")
    assert shown.read() == ["one", "two", "three"]
    write(log, b"four")
    assert shown.read() == ["one", "two", "three", "four"]
    assert [line.start for line in shown.window.lines] == [0, 4, 8, 14]


def test_carriage_returns_rewrite_the_line(tmp_path):
    log = tmp_path / "log.txt"
    shown = Shown(log)
    write(log, b"epoch 1:  10%\repoch 1:  50%")
    assert shown.read() == ["epoch 1:  50%"]
    write(log, b"\repoch 1: 100%\r\nnext\n")
    assert shown.read() == ["epoch 1: 100%", "next"]


def test_a_bar_that_is_drawn_for_hours_is_not_kept(tmp_path):
    log = tmp_path / "log.txt"
    shown = Shown(log)
    for number in range(4):
        write(log, b"".join(b"\r%8d%%" % (number * 9000 + step) for step in range(9000)))
        assert shown.read() == [f"{number * 9000 + 8999:8d}%"]
        assert len(shown.tail._open) <= LONGEST
    write(log, b"\nnext")
    assert shown.read() == ["   35999%", "next"]
    assert shown.window.lines[1].start == log.read_bytes().index(b"next")


def test_a_multibyte_character_may_be_cut_between_reads(tmp_path):
    log = tmp_path / "log.txt"
    shown = Shown(log)
    write(log, "é".encode()[:1])
    shown.read()
    write(log, "é".encode()[1:] + b"\n")
    assert shown.read() == ["é"]


def test_only_the_end_of_a_long_log_is_read(tmp_path):
    log = tmp_path / "log.txt"
    write(log, b"".join(b"line %06d\n" % number for number in range(100_000)))
    shown = Shown(log)
    lines = shown.read()
    assert lines[-1] == "line 099999"
    assert len(lines) == min((FIRST - 1) // 12, 5000) and lines[0].startswith("line 0")
    assert shown.window.begin == shown.window.lines[0].start == 12 * (100_000 - len(lines))


def test_a_log_that_begins_anew_replaces_what_was_shown(tmp_path):
    log = tmp_path / "log.txt"
    shown = Shown(log)
    write(log, b"old\nold\n")
    shown.read()
    os.truncate(log, 0)
    write(log, b"new\n")
    assert shown.read() == ["new"]
