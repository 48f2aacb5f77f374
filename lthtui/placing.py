"""Writing a file that a person asked for: whole or not at all, and over none that was there."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from engine.errors import LthError, UsageError
from lthtui.text import clean_line


def whole(file: Path) -> Path:
    """The absolute path of a file; `~` is somebody's home.

    Raises:
        UsageError: the current folder is gone.
    """
    try:
        return Path(os.path.expanduser(file)).absolute()
    except OSError:
        raise UsageError("the current folder is gone; give a path that begins with /") from None


def check(file: Path, endings: Iterable[str]) -> None:
    """Refuse a file of another ending, one that is a folder, or is to be in none.

    Args:
        endings: none where any will do.

    Raises:
        UsageError: it has none of the endings, is a folder, or has nowhere to be.
    """
    known = [*endings]
    if known and file.suffix.lower() not in known:
        raise UsageError(f"{clean_line(file.name)}: give it one of the endings {', '.join(known)}")
    _room(whole(file))


def in_the_way(file: Path, beside: Iterable[str] = ()) -> list[Path]:
    """What would be written over: the file, and those of its name with other endings.

    Raises:
        UsageError: see `whole`.
    """
    file = whole(file)
    return [one for one in (file, *map(file.with_suffix, beside)) if os.path.lexists(one)]


def place(file: Path, write: Callable[[Path], object], overwrite: bool = False) -> Path:
    """Have a file written beside its place, and put there; its absolute path.

    Args:
        write: is given another path with the same ending.

    Raises:
        UsageError: the folder is missing, or the file exists, or is a folder.
        LthError: it cannot be written.
        OSError: what it is made of cannot be read.
    """
    file = whole(file)
    _room(file)
    if not overwrite and os.path.lexists(file):
        raise _there(file)
    aside = file.with_name(f".{threading.get_native_id()}.{file.name}")
    try:
        write(aside)
        if overwrite:
            aside.replace(file)
        else:
            _name(aside, file)
    except OSError as error:
        if error.filename not in (None, str(aside)):
            raise
        why = clean_line(error.strerror or str(error))
        raise LthError(f"{clean_line(str(file))}: {why}; nothing was written") from None
    finally:
        with suppress(OSError):  # as of a disk that is gone
            aside.unlink(missing_ok=True)
    return file


def said(file: Path) -> str:
    """What to say of a file that was written."""
    return f"wrote {clean_line(str(file), 500)}"


def _name(aside: Path, file: Path) -> None:
    """Give a file its name, unless another has it by now."""
    try:
        os.link(aside, file)
    except FileExistsError:
        raise _there(file) from None
    except OSError:  # a file system without links
        try:
            file.open("x").close()
        except FileExistsError:
            raise _there(file) from None
        aside.replace(file)


def _there(file: Path) -> UsageError:
    return UsageError(f"{clean_line(str(file))} exists already; it was left as it is")


def _room(file: Path) -> None:
    if file.is_dir():
        raise UsageError(f"{clean_line(str(file))} is a folder; name a file in it")
    if not file.parent.is_dir():
        raise UsageError(f"{clean_line(str(file.parent))} is no folder; make it first")
