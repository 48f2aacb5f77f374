"""Ends a program although threads are still at work for nobody, such as one that asks a server.

The threads of `concurrent.futures` would keep a terminal's prompt away until that has answered.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End this program, whatever its threads do.

    Python's own end would wait for some, and break others off one by one, which aborts the process
    in some libraries.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # such as of a terminal that is gone
            stream.flush()
    os._exit(code)
