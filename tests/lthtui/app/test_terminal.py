"""The app in a real terminal: it draws, follows a resize, and leaves the terminal as it was."""

from __future__ import annotations

import sys

from rundirs import populate
from terminal import Terminal

CODE = """
import sys
from pathlib import Path
from lthtui.app import run_app
sys.exit(run_app(Path("mlruns")))
"""


def test_draws_resizes_and_leaves_a_sane_terminal(root):
    populate(root)
    terminal = Terminal([sys.executable, "-c", CODE], 80, 24)
    try:
        terminal.until("imp rate=0.5 · sweep")
        terminal.type(b"Gh")
        terminal.until("94.1±0.5")
        terminal.resize(130, 24)
        terminal.until("training")
        terminal.type(b"q")
        assert terminal.end() == 0
        assert b"2 runs go on" in terminal.output
        for end in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?2004l"):
            assert end in terminal.output, end
        assert terminal.output.rindex(b"\x1b[?1049l") > terminal.output.rindex(b"\x1b[?1049h")
        assert terminal.sane
    finally:
        terminal.close()
