"""Answers a shell that asks what could come next on a command line.

Typer finds that out and speaks to the shells. Here is what it leaves open: bash takes `a.b=c` for
three words, and a shell must never see an error instead of a word.
"""

from __future__ import annotations

import contextlib
import io
import os
import re

from lthtui import completion
from lthtui.commands.tree import GROUPS, tree

_BREAKS = re.compile(r"[=:]+")  # words of their own in bash


def answer() -> int:
    """Tell a shell what could come next, and nothing else whatever happens."""
    bash = os.environ["_LTHTUI_COMPLETE"] == "complete_bash"
    typed, said = "", io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        with contextlib.suppress(SystemExit, Exception):
            typed = _glue() if bash else ""
            words = completion.words()
            if bash and not words and not typed.startswith("-"):  # to name one, none is imported
                names = " ".join(GROUPS.values()).split()
                print(*completion.matching(sorted(names), typed), sep="\n")
            else:
                tree(words)(args=[], prog_name="lthtui")
    before = typed[: max(map(typed.rfind, "=:")) + 1]
    for line in said.getvalue().splitlines():
        print(line.removeprefix(before))
    return 0


def _glue() -> str:
    """Put together what bash took apart; returns the word that is being typed."""
    words = os.environ.get("COMP_WORDS", "").split("\n")
    at = min(int(os.environ.get("COMP_CWORD", 0)), len(words) - 1)
    whole: list[str] = []
    open_ended = False
    for word in words[: at + 1]:
        breaks = _BREAKS.fullmatch(word) is not None
        if whole[1:] and (breaks or open_ended):
            whole[-1] += word
        else:
            whole.append(word)
        open_ended = breaks
    os.environ["COMP_WORDS"], os.environ["COMP_CWORD"] = "\n".join(whole), str(len(whole) - 1)
    return whole[-1]
