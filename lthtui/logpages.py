"""Any part of a log, however large: pages of all its lines, or of warnings and errors only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from lthtui.loglines import LogLine, read
from lthtui.loglines import alarms as alarming

BLOCK = 256 * 1024  # bytes read at a time
LONGEST = 8 * 1024 * 1024  # bytes of a line; one that is longer is shown as several
CONTEXT = 16 * 1024  # bytes before a block that tell what its first lines belong to
BUDGET = 8 * 1024 * 1024  # bytes that are searched for warnings and errors at a time
ENOUGH = 500  # of those, for a page


class Page(NamedTuple):
    """Lines of a log that stand one below the other.

    Attributes:
        begin, end: the bytes that were looked through for them. A last line without an end is
            among the lines, but its bytes are not: it is read again.
        size: bytes of all whole lines of the log.
    """

    lines: tuple[LogLine, ...]
    begin: int
    end: int
    size: int


def before(path: Path, end: int, alarms: bool = False) -> Page:
    """What stands before a byte where a line begins, or where the log ends; empty at its beginning.

    Args:
        alarms: warnings and errors only; there may be none in the part that was looked through.

    Raises:
        OSError: the log can't be read.
    """
    with path.open("rb") as file:
        begin = end = min(end, _size(file))
        size = whole(file)
        found: list[LogLine] = []
        while begin > 0 and (begin == end or (alarms and _more(found, end - begin))):
            start = _line_start(file, begin)
            found[:0] = _read(file, start, begin, alarms)
            begin = start
        return Page(tuple(found), begin, max(begin, min(end, size)), size)


def after(path: Path, begin: int, alarms: bool = False) -> Page:
    """What stands at and behind a byte where a line begins, as `before`; empty at the end."""
    with path.open("rb") as file:
        size, last = whole(file), _size(file)
        end = begin
        found: list[LogLine] = []
        while end < last and (end == begin or (alarms and _more(found, end - begin))):
            stop = _line_end(file, end, last)
            found += _read(file, end, stop, alarms)
            end = stop
        return Page(tuple(found), begin, max(begin, min(end, size)), size)


def block(file: BinaryIO, begin: int, size: int) -> bytes:
    """Whole lines from a byte on, about as many as are read at a time."""
    return os.pread(file.fileno(), _line_end(file, begin, size) - begin, begin)


def lines(data: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """The lines in some bytes, without their ends, with where they begin."""
    for line in data.removesuffix(b"\n").split(b"\n") if data else ():
        yield start, line
        start += len(line) + 1


def _more(found: list[LogLine], read: int) -> bool:
    return len(found) < ENOUGH and read < BUDGET


def _read(file: BinaryIO, begin: int, end: int, alarms: bool) -> list[LogLine]:
    lead = min(CONTEXT, begin) if alarms else 0
    data = os.pread(file.fileno(), end - begin + lead, begin - lead)
    if not alarms:
        return [read(line, start) for start, line in lines(data, begin)]
    return [line for line in alarming(data, begin - lead) if line.start >= begin]


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def whole(file: BinaryIO) -> int:
    """Where the last line ends that has an end; an unfinished one counts once it is very long."""
    size = _size(file)
    reach = 1024
    while True:
        start = max(size - reach, 0)
        newline = os.pread(file.fileno(), size - start, start).rfind(b"\n")
        if newline >= 0 or start == 0:
            return start + newline + 1
        if reach >= LONGEST:
            return size
        reach *= 8


def _line_start(file: BinaryIO, end: int) -> int:
    """Where a line begins about a block before a byte."""
    reach = BLOCK
    while True:
        start = max(end - reach, 0)
        if start == 0:
            return 0
        newline = os.pread(file.fileno(), end - start - 1, start).find(b"\n")
        if newline >= 0 or reach >= LONGEST:
            return start + newline + 1
        reach *= 2


def _line_end(file: BinaryIO, begin: int, size: int) -> int:
    """Where a line ends about a block behind a byte."""
    reach = BLOCK
    while True:
        end = min(begin + reach, size)
        if end == size:
            return size
        newline = os.pread(file.fileno(), end - begin, begin).rfind(b"\n")
        if newline >= 0 or reach >= LONGEST:
            return begin + newline + 1 if newline >= 0 else end
        reach *= 2
