"""The end of a growing log."""

from __future__ import annotations

import os

from lthtui.logtail import FIRST, LogTail


class Shown:
    """Applies chunks as the screen does."""

    def __init__(self, path):
        self.tail, self.lines = LogTail(path), []

    def read(self):
        chunk = self.tail.read()
        if chunk is None:
            return None
        kept = [] if chunk.fresh else self.lines[: len(self.lines) - chunk.replaces]
        self.lines = [*kept, *chunk.lines]
        return self.lines


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


def test_carriage_returns_rewrite_the_line(tmp_path):
    log = tmp_path / "log.txt"
    shown = Shown(log)
    write(log, b"epoch 1:  10%\repoch 1:  50%")
    assert shown.read() == ["epoch 1:  50%"]
    write(log, b"\repoch 1: 100%\r\nnext\n")
    assert shown.read() == ["epoch 1: 100%", "next"]


def test_nothing_hides_in_a_line(tmp_path):
    log = tmp_path / "log.txt"
    write(log, b"\x1b[31mred\x07 \xff \xe2\x80\xae\n")
    assert Shown(log).read() == ["\\x1b[31mred\\x07 \ufffd \\u202e"]


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
    lines = Shown(log).read()
    assert lines[-1] == "line 099999"
    assert len(lines) == (FIRST - 1) // 12 and lines[0].startswith("line 0")


def test_a_log_that_begins_anew_replaces_what_was_shown(tmp_path):
    log = tmp_path / "log.txt"
    shown = Shown(log)
    write(log, b"old\nold\n")
    shown.read()
    os.truncate(log, 0)
    write(log, b"new\n")
    assert shown.read() == ["new"]
