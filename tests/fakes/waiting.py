"""Waiting for other processes: for what stays as it is once it has happened, and for very long."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 180.0  # seconds for what takes a few on an idle machine


def wait_for(
    condition: Callable[[], object], tell: Callable[[], object] = lambda: "waited in vain"
) -> None:
    """Wait until a condition holds; `tell` says what there is instead, should it never."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, tell()
        time.sleep(0.01)
