"""Whose root it is: its queue process runs everything as that user, so nobody else may queue."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from engine.errors import UsageError

SUPERUSER = 0


def of(root: Path) -> int | None:
    """The user id that a root belongs to; None if it is not there yet."""
    try:
        return root.stat().st_uid
    except FileNotFoundError:
        return None


def check(root: Path) -> None:
    """Refuse to change the root of somebody else.

    Raises:
        UsageError: this process is neither its owner's nor the superuser's.
    """
    owner, me = of(root), os.geteuid()
    if owner in (None, me) or me == SUPERUSER:
        return
    raise UsageError(
        f"{root} belongs to {_name(owner or 0)}, and so would all that its queue runs; give a root"
        " of your own with --root, or work under that name"
    )


def stranger(path: Path) -> str | None:
    """Who owns a path, or the nearest folder above that can be seen, unless it is this process."""
    for place in (path, *path.parents):
        try:
            owner = place.stat().st_uid
        except OSError:
            continue
        return None if owner == os.geteuid() else _name(owner)
    return None


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
