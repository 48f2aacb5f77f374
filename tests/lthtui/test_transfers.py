"""How downloads are told of, on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

from lthtui.transfers import Transfers


class Screen(io.StringIO):
    """A terminal, or none."""

    def __init__(self, live):
        super().__init__()
        self.live = live

    def isatty(self):
        return self.live


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_elsewhere_a_line_comes_now_and_then_and_at_the_end(clock):
    out = Screen(live=False)
    told = Transfers(out, clock)
    for have in range(0, 101):
        told.tell("file", have * 1_000_000, 100_000_000)
        clock.now += 1
    lines = out.getvalue().splitlines()
    assert len(lines) == 11 and "\x1b" not in out.getvalue()
    assert lines[0] == "file    0%  0 B of 100 MB"
    assert lines[1] == "file   10%  10 MB of 100 MB  1 MB/s  1 min 30 s left"
    assert lines[-1] == "file  100%  100 MB of 100 MB"


def test_what_was_here_before_does_not_count_as_fast(clock):
    out = Screen(live=False)
    told = Transfers(out, clock)
    told.tell("file", 60_000_000, 100_000_000)
    clock.now += 10
    told.tell("file", 80_000_000, 100_000_000)
    assert out.getvalue().splitlines()[1].endswith("2 MB/s  10 s left")


def test_a_size_that_nobody_knows_is_not_made_up(clock):
    out = Screen(live=False)
    Transfers(out, clock).tell("file", 3_200_000, None)
    assert out.getvalue() == "file  3.2 MB\n"


def test_a_terminal_gets_one_line_that_is_no_wider(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    out = Screen(live=True)
    told = Transfers(out, clock)
    for have in (0, 40, 80):
        told.tell("\x1b]0;evil\x07" + "x" * 40, have, 100)
        clock.now += 0.15
    told.say("something happened")
    told.tell("other", 1, 2)
    told.close()
    moves = out.getvalue().split("\r\x1b[K")
    assert len(moves) == 1 + 2 + 1 + 1  # what came 0.15 s after another was not drawn
    assert all(len(move) < 30 and "\x1b" not in move for move in moves[1:3])
    assert moves[3] == "something happened\n" and moves[4].endswith("\n")
