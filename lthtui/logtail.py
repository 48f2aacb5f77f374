"""The end of a growing log, as lines to show."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from lthtui.loglines import LogLine, read

FIRST = 64 * 1024  # bytes of an existing log that are read at first
MOST = 1024 * 1024  # bytes read at a time
LONGEST = 64 * 1024  # bytes kept of a line that has no end yet


class Chunk(NamedTuple):
    """Lines to add to those shown, in place of those that begin at or behind the first of them.

    Attributes:
        path: the log.
        begin, end: the bytes of the log that they are.
        fresh: whether what was shown is no part of this log.
    """

    path: Path
    lines: tuple[LogLine, ...]
    begin: int
    end: int
    fresh: bool = False


class LogTail:
    """Follows one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset: int | None = None
        self._open, self._began, self._size = b"", 0, 0  # the last line, so far without its end

    def read(self) -> Chunk | None:
        """What was written since the last call; None if nothing was.

        Raises:
            OSError: the log can't be read; one that does not exist yet is empty.
        """
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                fresh = self._offset is None or size < self._offset
                start = max(0, size - FIRST) if fresh else self._offset or 0
                file.seek(start)
                data = file.read(MOST)
        except FileNotFoundError:
            fresh, start, data = self._offset is None, 0, b""
        if not data and not fresh:
            return None
        self._offset = start + len(data)
        if fresh:
            cut = data.find(b"\n") + 1 if start else 0
            self._open, self._began, self._size, data = b"", start + cut, 0, data[cut:]
        begin, lines = self._began, self._lines(data)
        return Chunk(self.path, tuple(lines), begin, self._offset, fresh)

    def _lines(self, data: bytes) -> list[LogLine]:
        """Lines that were completed, and the open one as it is now."""
        *complete, rest = data.split(b"\n")
        found = []
        for line in complete:
            found.append(read(self._open + line, self._began))
            self._began += self._size + len(line) + 1
            self._open, self._size = b"", 0
        self._open += rest
        self._size += len(rest)
        if len(self._open) > LONGEST:  # of a bar that is drawn again and again, its last states
            self._open = self._open[-LONGEST:].partition(b"\r")[2] or self._open[:LONGEST]
        return [*found, read(self._open, self._began)] if self._open else found
