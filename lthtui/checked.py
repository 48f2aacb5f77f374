"""What came of checks of tickets, for as long as their files are as they were then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from lthtui.text import clean_line

Stamp = tuple[int, int] | None  # of a file, when it was changed last and its size; None elsewhere


class Check(NamedTuple):
    """One check.

    Attributes:
        said: what came of it, cleaned; that it is under way until it ended.
        failed: whether the ticket is not what its card says, or cannot be loaded.
    """

    stamp: Stamp
    said: str
    failed: bool = False


class Checked:
    """The last check of each ticket, by its key; for any thread."""

    def __init__(self) -> None:
        self._last: dict[str, Check] = {}

    def of(self, key: str, stamp: Stamp) -> Check | None:
        """The last one of a ticket, unless its file is another one since."""
        check = self._last.get(key)
        return check if check and check.stamp == stamp else None

    def note(self, key: str, stamp: Stamp, check: Callable[[], str]) -> str:
        """Check a ticket; what came of it, which is noted as well.

        Raises:
            LthError, OSError: what `check` raised.
        """
        self._last[key] = Check(stamp, f"under way since {_now()}")
        try:
            said = check()
        except Exception as error:
            self._last[key] = Check(stamp, f"{_now()}: {clean_line(str(error), 500)}", failed=True)
            raise
        self._last[key] = Check(stamp, f"{_now()}: {said}")
        return said


def _now() -> str:
    return time.strftime("%H:%M:%S")
