"""Refuse what would not fit into memory before it is allocated."""

from __future__ import annotations

import psutil

from engine.errors import DataError


def check(wanted: int, what: str, instead: str) -> None:
    """Compare with the memory that is free now.

    Args:
        wanted: bytes.
        what: what takes them, for the message.
        instead: what to do where they are too many.

    Raises:
        DataError: less is free.
    """
    free = psutil.virtual_memory().available
    if wanted > free:
        raise DataError(
            f"{what} would take {wanted / 2**30:,.1f} GiB of memory, and {free / 2**30:,.1f} GiB"
            f" are free; {instead}"
        )
