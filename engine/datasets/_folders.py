"""Find a data set on disk: `data.root` may be its folder or the folder above."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.errors import DataError


def find(root: str, names: Sequence[str], marks: Sequence[str], how: str) -> Path:
    """Return the first of `root`, `root/<name>`... that holds one of the files or folders `marks`.

    Args:
        names: folder names of the set, as its archives unpack.
        marks: what only this data set's folder holds.
        how: how to get the data set, for the message.

    Raises:
        DataError: nothing fits; the message lists what was looked for, and where.
    """
    candidates = [Path(root), *(Path(root) / name for name in names)]
    try:
        for folder in candidates:
            if any((folder / mark).exists() for mark in marks):
                return folder
    except OSError as error:
        raise DataError(f"data.root {root} cannot be read ({error.strerror})") from None
    wanted = " or ".join(marks)
    places = ", ".join(f"{folder}/" for folder in candidates)
    missing = "" if Path(root).is_dir() else f"data.root {root} is no folder; "
    raise DataError(f"{missing}looked for {wanted} in {places}. {how}")
