"""Whether a queue lies where it was filled: who only looks at a copy starts nothing there.

A folder that was renamed, and one that is reached by another path, keep their number in the file
system; a copy has another of both.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.rundir import write_json

FILE = "home"


class Home(BaseModel):
    """queue/home: where the queue was when somebody last queued here, its path and inode."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    path: str
    inode: int


def settle(root: Path) -> None:
    """Note that the queue belongs here; on a full disk it does not."""
    here = _here(root)
    if _noted(root) != here:
        with suppress(OSError):
            write_json(root / "queue" / FILE, here.model_dump())


def origin(root: Path) -> str | None:
    """The root whose queue was copied here; None of one that was filled here, or long ago."""
    noted = _noted(root)
    if noted is None:
        return None
    here = _here(root)
    return None if here.path == noted.path or here.inode == noted.inode else noted.path


def _here(root: Path) -> Home:
    return Home(path=str(root.absolute()), inode=(root / "queue").stat().st_ino)


def _noted(root: Path) -> Home | None:
    try:
        return Home.model_validate_json((root / "queue" / FILE).read_bytes())
    except (OSError, ValidationError):
        return None
