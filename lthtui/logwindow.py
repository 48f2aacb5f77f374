"""The part of a log that is on its way to the screen: as much as fits into bounded memory."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from lthtui.loglines import LogLine
from lthtui.logpages import Page

if TYPE_CHECKING:
    from lthtui.logtail import Chunk

MOST = 5000  # lines kept
STEP = 2000  # lines taken over at a time, so that what is in view is kept


class LogWindow:
    """Lines one below the other, from somewhere in a log; it grows at either end.

    Attributes:
        begin, end: the bytes of the log that were looked through for the lines.
        size: bytes of the log, as far as is known.

    The list of lines is never changed, but replaced.
    """

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self.begin = self.end = self.size = 0

    @property
    def at_end(self) -> bool:
        """Whether nothing is known to stand behind it."""
        return self.end >= self.size

    def hold(self, page: Page, last: bool = False) -> None:
        """Hold this and nothing else: its first lines, or its last."""
        self.lines, self.begin, self.end = [], page.begin, page.end
        if last:
            self._append(page.lines, page.begin, page.end)
        else:
            self._prepend(page.lines[:MOST], page.begin)
            if page.lines[MOST:]:
                self.end = page.lines[MOST].start
        self.size = max(self.size, page.size)

    def grow(self, chunk: Chunk) -> None:
        """Take over what was written, if it follows on what is held."""
        if chunk.fresh:
            self.lines, self.begin, self.size = [], chunk.begin, chunk.end
        if chunk.fresh or self.begin <= chunk.begin <= self.end:
            self._append(chunk.lines, chunk.begin, chunk.end)
        self.size = max(self.size, chunk.end)

    def put_after(self, page: Page) -> None:
        """Take over a page that begins where this ends."""
        if page.begin == self.end:
            taken = page.lines[:STEP]
            cut = page.lines[STEP].start if page.lines[STEP:] else page.end
            self.size = page.size
            self._append(taken, page.begin, cut)

    def put_before(self, page: Page) -> None:
        """Take over a page that ends where this begins."""
        if page.end == self.begin:
            taken = page.lines[-STEP:]
            self._prepend(taken, taken[0].start if page.lines[STEP:] else page.begin)

    def has(self, start: int) -> bool:
        """Whether one of the lines begins at a byte."""
        at = self._index(start)
        return at < len(self.lines) and self.lines[at].start == start

    def _index(self, start: int) -> int:
        return bisect_left(self.lines, start, key=lambda line: line.start)

    def _append(self, lines: tuple[LogLine, ...], begin: int, end: int) -> None:
        whole = [*self.lines[: self._index(begin)], *lines]
        self.lines, self.end = whole[-MOST:], end
        if len(whole) > MOST:
            self.begin = self.lines[0].start

    def _prepend(self, lines: tuple[LogLine, ...], begin: int) -> None:
        whole = [*lines, *self.lines]
        self.lines, self.begin = whole[:MOST], begin
        if len(whole) > MOST:
            self.end = whole[MOST].start
