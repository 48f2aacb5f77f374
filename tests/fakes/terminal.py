"""A command on a pseudo-terminal, whose screen can be read."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence

import pyte
from waiting import wait_for

ATTACH = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which whoever started the tests may have ignored
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """Starts the command. `variables` are added to its environment."""

    def __init__(self, command: Sequence[str], columns: int, rows: int, **variables: str) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.output = b""
        self._stream = pyte.ByteStream(self.screen)
        self._ours, self._theirs = pty.openpty()
        self._set_size(columns, rows)
        self._before = termios.tcgetattr(self._theirs)
        environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        for name in ("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", ATTACH, *command],
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env={**environment, **variables},
            start_new_session=True,
        )

    @property
    def lines(self) -> list[str]:
        """What is on the screen now."""
        while self._ours >= 0 and select.select([self._ours], [], [], 0)[0]:
            data = os.read(self._ours, 65536)
            self.output += data
            self._stream.feed(data)
        return [line.rstrip() for line in self.screen.display]

    @property
    def sane(self) -> bool:
        """Whether it is set as it was before the command."""
        return termios.tcgetattr(self._theirs) == self._before

    def until(self, *texts: str) -> str:
        """Wait for a line with all these texts; returns it, as it was then."""
        found: list[str] = []

        def there() -> bool:
            found[:] = [line for line in self.lines if all(text in line for text in texts)]
            return bool(found)

        wait_for(there, self._shown)
        return found[0]

    def end(self) -> int:
        """Wait for the command to end; its exit code."""
        wait_for(lambda: self.lines and self.process.poll() is not None, self._shown)
        _ = self.lines  # what it wrote last
        return int(self.process.returncode)

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)
        self._set_size(columns, rows)

    def hang_up(self) -> None:
        """Close the window."""
        os.close(self._ours)
        self._ours = -1

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self._ours >= 0:
            os.close(self._ours)
        os.close(self._theirs)

    def _set_size(self, columns: int, rows: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, size)

    def _shown(self) -> str:
        return "\n".join(self.lines)
