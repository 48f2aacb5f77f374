"""What to do when the app itself fails: keep what happened in a file, and say one thing."""

from __future__ import annotations

import os
import time
import traceback
from pathlib import Path

from lthtui import state
from lthtui.text import clean, clean_line


def report(error: BaseException) -> str:
    """Write down what happened, for this user only; say where.

    There are no values of variables in it, which may be secret, but for what the error itself says.
    The file is beside that of what is remembered; `LTHTUI_DEBUG=1` shows what is in it instead.
    """
    happened = "".join(traceback.format_exception(error))
    what = clean_line(f"{type(error).__name__}: {error}", 500)
    if os.environ.get("LTHTUI_DEBUG") == "1":
        return clean(happened)
    told = _kept(happened) or "LTHTUI_DEBUG=1 shows where"
    return f"lthtui: unexpected {what}\nThis is a bug: {told}. Runs go on; `lthtui` shows them."


def _kept(happened: str) -> str:
    """Say in which file it was written; nothing where that cannot be."""
    file: Path = state.file().with_name("crash.txt")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.touch(0o600)
        file.write_text(f"{time.strftime('%Y-%m-%d %H:%M:%S')}\n{happened}")
    except OSError:
        return ""
    return f"where it happened is in {file}"
