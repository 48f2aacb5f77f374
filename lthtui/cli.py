"""The `lthtui` command: the terminal app at once, or one of `lthtui/commands/`; errors, exit codes.

Nothing that the app's first frame does not need is imported before it.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from engine.errors import FAILED, INTERRUPTED, LthError
from lthtui import garbage, settings
from lthtui.text import clean, clean_line

COMPLETE = "_LTHTUI_COMPLETE"  # by which a shell asks what could come next
BROKEN_PIPE = 141  # what a shell reports for a program that SIGPIPE ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors become one message on stderr."""
    try:
        try:
            return _run(sys.argv[1:] if arguments is None else arguments)
        except SystemExit as end:
            sys.stdout.flush()
            return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        if os.environ.get("LTHTUI_DEBUG") == "1":
            traceback.print_exc()
        print(_message(error), file=sys.stderr)
        return error.exit_code if isinstance(error, LthError) else FAILED


def _run(arguments: Sequence[str]) -> int:
    if os.environ.get(COMPLETE, "").startswith("complete_"):
        from lthtui.answering import answer

        return answer()
    if not arguments and all(one.isatty() for one in (sys.stdin, sys.stdout, sys.stderr)):
        garbage.wait()
        from lthtui.app import run_app

        run_app(settings.root())
    from lthtui.commands.tree import tree

    tree(arguments)(args=arguments, prog_name="lthtui")
    return 0


def _advice(error: OSError) -> str:
    """What to do about a folder of somebody else."""
    from lthtui.launch import owner

    if not isinstance(error, PermissionError) or not error.filename:
        return ""
    name = owner.stranger(Path(error.filename))
    return (
        f"; it is {name}'s, who may let others read it; --root names another root" if name else ""
    )


def _message(error: Exception) -> str:
    from lthtui.yamlfile import FileError

    if isinstance(error, FileError):
        return clean(str(error))
    if isinstance(error, LthError):
        return f"lthtui: {clean(str(error))}"
    if isinstance(error, OSError) and error.strerror:
        place = f": {error.filename}" if error.filename else ""
        return f"lthtui: {clean_line(error.strerror + place + _advice(error), 1000)}"
    what = clean_line(f"{type(error).__name__}: {error}", 1000)
    return f"lthtui: unexpected {what}\nThis is a bug; LTHTUI_DEBUG=1 shows where it happened."
