"""Looking for a text, or a pattern, in all lines of a log, a part at a time."""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from lthtui import logpages
from lthtui.loglines import LogLine, read
from lthtui.patterns import Pattern
from lthtui.text import clean_line

SLICE = 0.2  # seconds that are spent at a time
MOST = 1_000_000  # lines that are remembered


class Needle:
    """What is looked for: a text, or behind a `~` a pattern as in filters.

    A text without capitals is found in either case.

    Raises:
        patterns.PatternError: the pattern cannot be read.
    """

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        self._pattern = Pattern(wanted[1:]) if wanted.startswith("~") else None
        self.exact = wanted != wanted.lower()

    def found(self, text: str) -> bool:
        """Whether a line has it; a pattern is looked for in its first 500 signs."""
        if self._pattern:
            return self._pattern.found(text)
        return self.wanted in (text if self.exact else text.lower())

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where a line has it; all of the line for a pattern."""
        if self._pattern:
            return [(0, len(text))] if self.found(text) else []
        searched = text if self.exact else text.lower()
        if len(searched) != len(text):  # a few letters are more than one in the other case
            return [(0, len(text))] if self.found(text) else []
        found, at = [], searched.find(self.wanted)
        while at >= 0 and self.wanted:
            found.append((at, at + len(self.wanted)))
            at = searched.find(self.wanted, found[-1][1])
        return found

    def lines(self, data: bytes, start: int) -> Iterator[LogLine]:
        """Those of the lines in some bytes that have it."""
        if self._pattern or b"\x1b" in data or not self.wanted.isascii():
            rest: Iterator[LogLine] = (read(one, at) for at, one in logpages.lines(data, start))
        else:
            rest = self._near(data, start)
        return (line for line in rest if self.found(line.text))

    def _near(self, data: bytes, start: int) -> Iterator[LogLine]:
        """The lines whose bytes have it, a carriage return behind it or not."""
        searched = data if self.exact else data.lower()
        wanted = self.wanted.encode()
        at = searched.find(wanted)
        while at >= 0:
            begin, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
            end = len(data) if end < 0 else end
            yield read(data[begin:end], start + begin)
            at = searched.find(wanted, end)


class LogSearch:
    """A search through one log, which goes on when more is written to that.

    Attributes:
        starts: where the lines begin that have been found, in their order.
        at: how far the log was looked through.
        size: bytes of whole lines that the log had when it was looked at last.
        trouble: why the last step failed; empty if it did not.
    """

    def __init__(self, path: Path, needle: Needle, alarms: bool = False) -> None:
        self.path, self.needle, self._alarms = path, needle, alarms
        self.starts = array("q")
        self.at, self.size = 0, 0
        self.trouble = ""

    @property
    def done(self) -> bool:
        """Whether all that can be read was looked through, or as much as is remembered."""
        return bool(self.trouble) or self.at >= self.size or len(self.starts) >= MOST

    def step(self) -> LogSearch:
        """Look on for a moment, or note what is in the way; in one thread at a time."""
        self.trouble = ""
        try:
            self._step()
        except Exception as error:  # of whatever kind: one that left would leave it without an end
            self.trouble = reason(error)
        return self

    def _step(self) -> None:
        until = time.monotonic() + SLICE
        with self.path.open("rb") as file:
            self.size = logpages.whole(file)
            while not self.done and time.monotonic() < until:
                found, self.at = self._alarming() if self._alarms else self._all(file)
                self.starts.extend(line.start for line in found)

    def look_at(self, lines: Iterable[LogLine]) -> None:
        """Look through these lines instead of the log."""
        self.starts.extend(line.start for line in lines if self.needle.found(line.text))

    def place(self, start: int | None) -> int:
        """Which of those found a line is, from 1; 0 for none of them."""
        if start is None:
            return 0
        at = bisect_left(self.starts, start)
        return at + 1 if at < len(self.starts) and self.starts[at] == start else 0

    def first(self, start: int) -> int | None:
        """The first one from a byte on; once all is searched, else the last one before that."""
        at = bisect_left(self.starts, start)
        if at < len(self.starts):
            return self.starts[at]
        return self.starts[-1] if self.done and self.starts else None

    def next(self, start: int, by: int) -> int | None:
        """Where the one before or behind a byte begins; around the ends; None if there is none."""
        if not self.starts:
            return None
        at = bisect_right(self.starts, start) if by > 0 else bisect_left(self.starts, start) - 1
        return self.starts[at % len(self.starts)]

    def _all(self, file: BinaryIO) -> tuple[Iterable[LogLine], int]:
        data = logpages.block(file, self.at, self.size)
        return self.needle.lines(data, self.at), self.at + len(data)

    def _alarming(self) -> tuple[Iterable[LogLine], int]:
        page = logpages.after(self.path, self.at, alarms=True)
        ended = (line for line in page.lines if line.start < page.end)
        return [line for line in ended if self.needle.found(line.text)], page.end


def reason(error: Exception) -> str:
    """Why a log could not be read, in a few words."""
    known = error.strerror if isinstance(error, OSError) else None
    return clean_line(known or str(error) or type(error).__name__, 200)
