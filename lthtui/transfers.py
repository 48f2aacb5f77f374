"""Says on stderr how a download goes: a line that moves on a terminal, else a line now and then."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

from lthtui.planning import duration
from lthtui.planning import size as sized
from lthtui.text import clean_line

OFTEN, SELDOM = 0.2, 10.0  # seconds between two words on a terminal, and elsewhere


class Transfers:
    """What `lthtui.getting` tells."""

    def __init__(
        self, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._out, self._clock = out or sys.stderr, clock
        self._live = self._out.isatty()
        self._name, self._last = "", 0.0
        self._begun, self._first = 0.0, 0
        self._moves = False

    def say(self, line: str) -> None:
        """Write a line of its own."""
        self._write(line, stays=True)

    def tell(self, name: str, have: int, whole: int | None) -> None:
        """Say how far a file is, not too often, and when it is whole."""
        now = self._clock()
        if name != self._name:
            self._name, self._begun, self._first, self._last = name, now, have, 0.0
        ended = have == whole
        if ended or now - self._last >= (OFTEN if self._live else SELDOM):
            self._last = now
            self._write(self._line(have, whole, now - self._begun), stays=ended or not self._live)

    def _line(self, have: int, whole: int | None, seconds: float) -> str:
        pace = (have - self._first) / seconds if seconds > 0 else 0.0
        if not whole:
            return f"{self._name}  {sized(have)}"
        line = f"{self._name}  {have / whole:4.0%}  {sized(have)} of {sized(whole)}"
        if pace and have < whole:
            line += f"  {sized(pace)}/s  {duration((whole - have) / pace)} left"
        return line

    def _write(self, line: str, stays: bool) -> None:
        line, self._moves = clean_line(line, 1000), not stays
        if self._live and not stays:  # a line that wraps cannot be taken back
            line = line[: shutil.get_terminal_size().columns - 1]
        if self._live:
            print(f"\r\x1b[K{line}", end="\n" if stays else "", file=self._out, flush=True)
        else:
            print(line, file=self._out, flush=True)

    def close(self) -> None:
        """End the line that moves, so that what comes next has one of its own."""
        if self._live and self._moves:
            print(file=self._out, flush=True)
