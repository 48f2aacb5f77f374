"""Spec files while they are edited: what is on disk, what was typed, and how to write it safely."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.errors import UsageError
from lthtui.text import clean_line

MAX_BYTES = 256 * 1024  # as of `yamlfile`, which is not imported before the first frame


@dataclass
class Draft:
    """A spec in the editor.

    Attributes:
        disk: its file's text when it was read or written last; None if there was no file.
        text: as it is in the editor now.
    """

    path: str
    disk: str | None
    text: str

    @property
    def modified(self) -> bool:
        """Whether there is something to save; the kind of line ends is nothing."""
        return self.disk is None or _lines(self.text) != _lines(self.disk)


def read(path: str) -> str:
    """The text of a spec file.

    Raises:
        UsageError: it cannot be read, is no text, or too long for a spec.
    """
    shown = clean_line(path)
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{shown}: larger than {MAX_BYTES // 1024} kB; this is no spec")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{shown}:{line}: not UTF-8 text; save it as UTF-8") from None


def write(path: str, text: str, before: str | None) -> str | None:
    """Write a spec file in one step, unless somebody else did meanwhile.

    Args:
        before: what is expected there; None for no file.

    Returns:
        None if it was written, otherwise what is there now.

    Raises:
        UsageError: it cannot be written.
    """
    file = Path(os.path.realpath(path))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as opened:
                opened.write(text)
                opened.flush()
                os.fsync(opened.fileno())
            return _place(Path(name), file, before)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)
    except OSError as error:
        raise UsageError(f"{clean_line(path)}: cannot be written: {error.strerror}") from None


def free(folder: Path, stem: str, taken: list[str]) -> str:
    """A name like `stem` that no file in the folder and none of those taken has."""
    known = {Path(one).stem for one in (*taken, *map(str, folder.rglob("*.y*ml")))}
    base, number = stem, 2
    while stem in known:
        stem, number = f"{base}-{number}", number + 1
    return stem


def _lines(text: str) -> list[str]:
    return f"{text}|".splitlines()


def _place(made: Path, file: Path, before: str | None) -> str | None:
    """Put a new file where it belongs."""
    if before is None:
        made.chmod(0o666 & ~_umask())
        try:
            os.link(made, file)  # which fails where a file is, unlike renaming
        except FileExistsError:
            return read(str(file))
        return None
    if file.exists():
        found = read(str(file))
        if found != before:
            return found
        if not file.stat().st_mode & 0o222:
            raise UsageError(f"{clean_line(str(file))} is read-only; save a copy of it instead")
        made.chmod(file.stat().st_mode & 0o7777)
    made.replace(file)
    return None


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
