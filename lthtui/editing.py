"""A text in the editor of the user's choice."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from engine.errors import UsageError
from lthtui.text import clean_line


def editor() -> list[str]:
    """The command that the user edits texts with.

    Raises:
        UsageError: none is set, or it can't be read.
    """
    for name in ("VISUAL", "EDITOR"):
        if command := os.environ.get(name, "").strip():
            try:
                return shlex.split(command)
            except ValueError as error:
                raise UsageError(f"${name}: {clean_line(f'{command}: {error}')}") from None
    raise UsageError("no editor is set; `export EDITOR=nano` chooses one")


def edited(text: str, name: str) -> str:
    """Have a text edited in a file called `name`, and return it without space at its end.

    Raises:
        UsageError: there is no editor, or it failed; then nothing has changed.
    """
    command = editor()
    with tempfile.TemporaryDirectory(prefix="lthtui-") as folder:
        file = Path(folder) / name
        file.write_text(f"{text}\n" if text else "")  # a text file's last line ends
        try:
            code = subprocess.run([*command, str(file)]).returncode
            after = file.read_text()
        except (OSError, ValueError) as error:
            raise UsageError(f"{clean_line(command[0])}: {clean_line(str(error))}") from None
    if code:
        raise UsageError(f"{clean_line(command[0])} ended with code {code}; nothing was changed")
    return after.rstrip()
