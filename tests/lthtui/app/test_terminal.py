"""The app in a real terminal: it draws, follows a resize, and leaves the terminal as it was."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

import pyte
import pytest
from rundirs import populate

CODE = """
import sys
from pathlib import Path
from lthtui.app import run_app
sys.exit(run_app(Path("mlruns")))
"""


class Terminal:
    """A process on a pseudo-terminal, and a screen that shows what it writes."""

    def __init__(self, command, columns=80, lines=24):
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.output = b""
        self.keeper, self.terminal = pty.openpty()
        self.resize(columns, lines)
        self.before = termios.tcgetattr(self.terminal)
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.terminal, termios.TIOCSCTTY, 0)
            for number in range(3):
                os.dup2(self.terminal, number)
            environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
            os.execve(command[0], command, environment)  # without readline's LINES and COLUMNS

    def resize(self, columns, lines):
        fcntl.ioctl(self.keeper, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def wait(self, condition, seconds=40):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "\n".join(self.screen.display)
            if select.select([self.keeper], [], [], 0.05)[0]:
                data = os.read(self.keeper, 65536)
                self.output += data
                self.stream.feed(data)

    def shows(self, text):
        return lambda: any(text in line for line in self.screen.display)

    def send(self, keys):
        os.write(self.keeper, keys)

    def ended(self):
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.code = os.waitstatus_to_exitcode(status)
        return bool(pid)

    def close(self):
        os.close(self.keeper)
        os.close(self.terminal)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_draws_resizes_and_leaves_a_sane_terminal(root):
    populate(root)
    terminal = Terminal([sys.executable, "-c", CODE])
    try:
        terminal.wait(terminal.shows("sweep rate=0.5"))
        terminal.send(b"Gh")
        terminal.wait(terminal.shows("94.1±0.5"))
        terminal.screen.resize(24, 130)
        terminal.resize(130, 24)
        os.kill(terminal.pid, signal.SIGWINCH)
        terminal.wait(terminal.shows("training"))
        terminal.send(b"q")
        terminal.wait(terminal.ended)
        terminal.wait(lambda: b"2 runs go on" in terminal.output, seconds=5)
        assert terminal.code == 0
        for end in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?2004l"):
            assert end in terminal.output, end
        assert terminal.output.rindex(b"\x1b[?1049l") > terminal.output.rindex(b"\x1b[?1049h")
        assert termios.tcgetattr(terminal.terminal) == terminal.before
    finally:
        terminal.close()
