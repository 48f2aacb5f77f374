"""Has the worker program carry out a verb: what needs torch or MLflow happens in its process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

from engine.errors import FAILED, LthError
from lthtui.launch.backends.local import worker_command
from lthtui.text import clean_line

MEANWHILE = 1.0  # seconds between calls of what is done while the worker program is at work


def ask(arguments: Sequence[str], meanwhile: Callable[[int], None] | None = None) -> dict[str, Any]:
    """Have the worker program carry out a verb, and return what it reports.

    Args:
        meanwhile: called every second with the number of its process.

    Raises:
        LthError: it failed; message and exit code are the worker's.
    """
    done = subprocess.Popen(
        [*worker_command(), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with done:
        try:
            out, said = _heard(done, meanwhile)
        except BaseException:  # such as Ctrl-C: what it does may be broken off, and done again
            done.kill()
            done.wait()
            raise
    try:
        report = json.loads(out)
    except ValueError:
        lines = said.strip().splitlines() or [f"exit code {done.returncode}"]
        error = LthError(clean_line(lines[-1], 1000))
        error.exit_code = done.returncode if done.returncode > 0 else FAILED
        raise error from None
    assert isinstance(report, dict)
    return report


def _heard(
    process: subprocess.Popen[str], meanwhile: Callable[[int], None] | None
) -> tuple[str, str]:
    """What a process wrote until its end."""
    while True:
        try:
            return process.communicate(timeout=MEANWHILE if meanwhile else None)
        except subprocess.TimeoutExpired:
            assert meanwhile is not None
            meanwhile(process.pid)
