"""A program that is left ends, whatever its threads wait for."""

from __future__ import annotations

import subprocess
import sys

from waiting import PATIENCE

LEAVES = """
import atexit, sys, threading
from lthtui.leaving import leave
atexit.register(print, "tidied up", end="")
threading.Thread(target=threading.Event().wait).start()
leave(3)
"""


def test_a_program_is_left_tidily_whatever_its_threads_do():
    command = [sys.executable, "-c", LEAVES]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"tidied up", b"")
