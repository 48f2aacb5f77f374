"""Any part of a log, in pages."""

from __future__ import annotations

import random

import pytest

from lthtui import logpages
from lthtui.logpages import after, before
from lthtui.logsearch import LogSearch, Needle
from lthtui.logtail import Chunk
from lthtui.logwindow import MOST, LogWindow

NUMBERS = range(30_000)
LINES = [
    f"{number:06d} " + ("WARNING" if number % 7000 == 6999 else "x" * (number % 90))
    for number in NUMBERS
]


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("\n".join(LINES) + "\nopen")
    return path


def texts(page):
    return [line.text for line in page.lines]


def test_pages_from_the_end_to_the_beginning_are_the_whole_log(log):
    found, end = [], 2**62
    while (page := before(log, end)).lines:
        assert page.lines[0].start == page.begin
        assert log.stat().st_size == page.size + len("open")
        found[:0], end = texts(page), page.begin
    assert found == [*LINES, "open"]


def test_pages_from_the_beginning_to_the_end_are_the_whole_log(log):
    found, begin = [], 0
    while begin < (page := after(log, begin)).size:
        assert page.begin == begin
        found, begin = [*found, *texts(page)], page.end
    assert found == [*LINES, "open"]
    assert texts(after(log, page.size)) == ["open"]
    assert after(log, page.size).end == page.size


def test_warnings_are_found_from_both_ends(log):
    warned = [line for line in LINES if "WARNING" in line]
    assert texts(before(log, 2**62, alarms=True)) == warned
    assert texts(after(log, 0, alarms=True)) == warned
    half = LINES.index(warned[2])
    start = sum(len(line) + 1 for line in LINES[:half])
    assert texts(before(log, start, alarms=True)) == warned[:2]
    assert texts(after(log, start, alarms=True)) == warned[2:]


def test_a_traceback_over_the_edge_of_a_block_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(logpages, "BLOCK", 64)
    log = tmp_path / "log.txt"
    frames = [f"  frame {number}" for number in range(40)]
    lines = ["begin", "Traceback (most recent call last):", *frames, "MyBad", "end"]
    log.write_text("\n".join(lines) + "\n")
    assert texts(before(log, 2**62, alarms=True)) == lines[1:-1]
    assert texts(after(log, 0, alarms=True)) == lines[1:-1]


def test_a_line_without_end_comes_in_pieces_of_bounded_size(tmp_path, monkeypatch):
    monkeypatch.setattr(logpages, "LONGEST", 2**20)
    log = tmp_path / "log.txt"
    log.write_bytes(b"first\n" + b"z" * 5 * 2**20 + b"\nlast\n")
    end, read = 2**62, []
    while (page := before(log, end)).begin:
        assert end > 2**61 or end - page.begin <= 2**20 + 2**18
        read, end = [*texts(page), *read], page.begin
    assert read[-1] == "last" and 5 <= len(read) < 12


def test_a_window_moves_along_the_log_and_keeps_what_is_in_view(log, monkeypatch):
    monkeypatch.setattr(logpages, "BLOCK", 2**20)
    window = LogWindow()
    window.hold(before(log, 2**62), last=True)
    while window.begin:
        first = window.lines[0].start
        window.put_before(before(log, window.begin))
        assert len(window.lines) <= MOST and window.has(first)
        assert window.lines[0].start == window.begin
    assert [line.text for line in window.lines] == LINES[:MOST] and not window.at_end
    while not window.at_end:
        last = window.lines[-1].start
        window.put_after(after(log, window.end))
        assert len(window.lines) <= MOST and window.has(last)
    assert [line.text for line in window.lines] == [*LINES[-MOST + 1 :], "open"]


def test_a_window_elsewhere_takes_no_lines_from_the_end(log):
    window = LogWindow()
    window.hold(after(log, 0))
    held = window.lines
    size = log.stat().st_size
    window.grow(Chunk(log, (), size, size + 10))
    assert window.lines == held and window.size == size + 10 and not window.at_end


def search(path, wanted, alarms=False):
    found = LogSearch(path, Needle(wanted), alarms).step()
    while not found.done:
        found.step()
    data = path.read_bytes()
    return [data[at : data.find(b"\n", at)].decode() for at in found.starts]


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        ("xxxwar", lambda line: False),
        ("warn", lambda line: "WARN" in line),
        ("Warn", lambda line: False),
        ("999 ", lambda line: "999 " in line),
        ("~^0*1234\\d x{3}", lambda line: line.startswith("01234") and "xxx" in line),
    ],
)
def test_all_of_the_log_is_searched_but_for_what_is_not_written_yet(log, wanted, matches):
    assert search(log, wanted) == [line for line in LINES if matches(line)]
    assert search(log, "open") == []


def test_only_warnings_are_searched_while_only_they_are_shown(log):
    assert search(log, "9", alarms=True) == [line for line in LINES if "WARNING" in line]


def test_what_was_rewritten_or_coloured_is_searched_as_it_is_shown(tmp_path):
    log = tmp_path / "log.txt"
    log.write_bytes(b"gone\rkept\n\x1b[31mre\x1b[32md\x1b[0m\nplain ke\xc3\xa9pt\n")
    needles = {"gone": 0, "kept": 1, "red": 1, "É": 0, "é": 1, "[31": 0}
    assert {one: len(search(log, one)) for one in needles} == needles


def test_a_search_goes_on_where_the_log_does(log):
    found = LogSearch(log, Needle("fresh")).step()
    while not found.done:
        found.step()
    with log.open("a") as file:
        file.write(" fresh\nand fresh again\nfresh")
    found.step()
    begin = log.read_text().index("open")
    assert [*found.starts] == [begin, begin + len("open fresh\n")] and found.done


def test_matches_are_gone_through_around_the_ends(tmp_path):
    found = LogSearch(tmp_path, Needle("x"))
    assert found.next(5, 1) is None and found.first(0) is None
    found.starts.extend([10, 20, 30])
    assert [found.next(at, 1) for at in (0, 10, 15, 30)] == [10, 20, 20, 10]
    assert [found.next(at, -1) for at in (40, 30, 15, 10)] == [30, 20, 10, 30]
    assert [found.first(at) for at in (0, 20, 21, 31)] == [10, 20, 30, 30]
    assert [found.place(at) for at in (10, 30, 15, None)] == [1, 3, 0, 0]


def test_marks_stand_on_what_was_found():
    assert Needle("ab").spans("ab AB xab") == [(0, 2), (3, 5), (7, 9)]
    assert Needle("Ab").spans("ab Ab") == [(3, 5)]
    assert Needle("~a.b").spans("xaxb") == [(0, 4)]
    for text in ("", "İi" * 3, "ß" * 9):
        for begin, end in Needle("i").spans(text):
            assert 0 <= begin < end <= len(text)


def test_any_log_reads_the_same_in_any_pages(tmp_path, monkeypatch):
    draw = random.Random(0)
    for _ in range(30):
        monkeypatch.setattr(logpages, "BLOCK", draw.randrange(1, 40))
        log = tmp_path / "log.txt"
        data = "".join(draw.choice("ab\n\n") for _ in range(draw.randrange(200)))
        log.write_text(data)
        lines = data.removesuffix("\n").split("\n") if data else []
        back, end = {}, 2**62
        while (page := before(log, end)).lines:
            back |= {line.start: line.text for line in page.lines}
            end = page.begin
        forth, begin, page = {}, -1, after(log, 0)
        while page.end > begin:
            begin, page = page.end, after(log, page.end)
            forth |= {line.start: line.text for line in (*after(log, 0).lines, *page.lines)}
        assert back == forth
        assert [back[at] for at in sorted(back)] == lines
