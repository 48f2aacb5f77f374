"""A file in the pager of the user's choice."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from engine.errors import UsageError
from lthtui.editing import lent_terminal
from lthtui.text import clean_line


def pager() -> list[str]:
    """The command that the user reads files with.

    Raises:
        UsageError: there is none, or it can't be read.
    """
    if command := os.environ.get("PAGER", "").strip():
        try:
            return shlex.split(command)
        except ValueError as error:
            raise UsageError(f"$PAGER: {clean_line(f'{command}: {error}')}") from None
    found = next(filter(shutil.which, ("less", "more")), None)
    if found is None:
        raise UsageError("no pager is set; `export PAGER=less` chooses one")
    return [found]


def show(file: Path) -> None:
    """Show a file until its reader is done. To be called in the main thread.

    Raises:
        UsageError: the pager cannot be started, or failed.
    """
    command = pager()
    try:
        with lent_terminal():
            code = subprocess.run([*command, str(file)]).returncode
    except OSError as error:
        raise UsageError(f"{clean_line(command[0])}: {clean_line(str(error))}") from None
    if code:
        raise UsageError(f"{clean_line(command[0])} ended with code {code}")
