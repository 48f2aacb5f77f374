r"""The end of a growing log as lines to show: `\r` rewrites a line, and nothing hides in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lthtui.text import clean

FIRST = 64 * 1024  # bytes of an existing log that are read at first
MOST = 1024 * 1024  # bytes read at a time


@dataclass(frozen=True)
class Chunk:
    """Lines to add to those shown.

    Attributes:
        replaces: how many of the last shown lines they stand for: the one that was not complete.
        fresh: whether what was shown is no part of this log.
    """

    lines: tuple[str, ...]
    replaces: int = 0
    fresh: bool = False


class LogTail:
    """Follows one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset: int | None = None
        self._open = b""  # of the last line, so far without its end

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
            self._open = b""
            data = data.partition(b"\n")[2] if start else data
        replaces = 1 if self._open else 0
        *complete, self._open = (self._open + data).split(b"\n")
        lines = [*complete, self._open] if self._open else complete
        return Chunk(tuple(map(shown, lines)), replaces, fresh)


def shown(line: bytes) -> str:
    """What a terminal would show of a line in the end: the text after its last carriage return."""
    written = [part for part in line.split(b"\r") if part.strip()]
    return clean((written[-1] if written else b"").decode(errors="replace").expandtabs(4))
