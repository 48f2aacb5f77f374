"""A text in the editor of the user's choice; what cannot be used afterwards is kept in a file."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from engine.errors import UsageError
from lthtui.here import here
from lthtui.text import clean_line


def editor() -> list[str]:
    """The command that the user edits texts with; empty if none is set.

    Raises:
        UsageError: it can't be read.
    """
    for name in ("VISUAL", "EDITOR"):
        if command := os.environ.get(name, "").strip():
            try:
                return shlex.split(command)
            except ValueError as error:
                raise UsageError(f"${name}: {clean_line(f'{command}: {error}')}") from None
    return []


def edited(text: str, name: str) -> str:
    """Have a text edited in a file called `name`, and return it without space at its end.

    To be called in the main thread. The terminal is set again as it was.

    Raises:
        UsageError: there is no editor, or it failed; then nothing has changed, and what was
            written is kept in a file that the message names.
    """
    command = editor()
    if not command:
        raise UsageError("no editor is set; `export EDITOR=nano` chooses one")
    called = clean_line(Path(command[0]).name)
    with tempfile.TemporaryDirectory(prefix="lthtui-") as folder:
        file = Path(folder) / name
        before = f"{text}\n".encode() if text else b""  # a text file's last line ends
        file.write_bytes(before)
        try:
            with lent_terminal():
                code = subprocess.run([*command, str(file)]).returncode
            after = file.read_bytes()
        except OSError as error:
            raise UsageError(f"{called}: {clean_line(str(error))}") from None
    trouble = f"{called} ended with code {code}; nothing was changed" if code else ""
    try:
        found = after.decode()
    except ValueError as error:
        trouble = f"{called}: {clean_line(str(error))}"
    if trouble:
        raise UsageError(trouble if after == before else f"{trouble}; {kept(after, name)}")
    return found.rstrip()


def kept(text: bytes, name: str) -> str:
    """Write a text that would be lost to a new file of about this name; say where it is.

    The file is in the current folder, or where nothing can be written there, among temporary ones.
    """
    folder = here()
    if folder is None or not os.access(folder, os.W_OK):
        folder = Path(tempfile.mkdtemp(prefix="lthtui-"))
    plain = folder / name
    numbered = (plain.with_stem(f"{plain.stem}-{number}") for number in count(2))
    file = plain if not plain.exists() else next(one for one in numbered if not one.exists())
    with file.open("xb") as opened:
        opened.write(text)
    return f"what was written is in {clean_line(str(file), 1000)}"


@contextmanager
def lent_terminal() -> Iterator[None]:
    """Leave the terminal to another program, for which Ctrl-C is then meant."""
    ours = [signal.SIGINT, signal.SIGQUIT]
    before = {one: signal.signal(one, _nothing) for one in ours}  # ignored ones would be inherited
    terminal = sys.__stdin__.fileno() if sys.__stdin__ else 0
    settings = termios.tcgetattr(terminal) if os.isatty(terminal) else None
    try:
        yield
    finally:
        if settings is not None:
            termios.tcsetattr(terminal, termios.TCSADRAIN, settings)
        for one, handler in before.items():
            signal.signal(one, handler)


def _nothing(*_: object) -> None:
    """What is done about a signal that is meant for somebody else."""
