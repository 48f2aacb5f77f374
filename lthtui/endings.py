"""Runs that have just ended: which, what to say about them, and the command that somebody wants."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lthtui.board import GLYPHS, Board, accuracy, percent
from lthtui.counting import counted
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.runview import RunView

PATIENCE = 60.0  # seconds that the command may take
NAMED = 3  # runs that are named one by one


def between(before: Board, after: Board) -> list[RunView]:
    """Runs that waited or ran before and have ended by now."""
    return [
        run
        for key, run in after.runs.items()
        if not run.active and (known := before.runs.get(key)) is not None and known.active
    ]


def said(runs: Sequence[RunView], board: Board) -> str:
    """A line for each run, or for each status if there are many."""
    if len(runs) > NAMED:
        statuses = [run.status for run in runs]
        return "\n".join(
            f"{GLYPHS[one]} {counted(statuses.count(one), 'run')} {one}"
            for one in GLYPHS
            if one in statuses
        )
    return "\n".join(_line(run, board) for run in runs)


def call(command: str, runs: Sequence[RunView]) -> str:
    """Run a person's command for each run, which it is told about by its environment.

    `LTHTUI_RUN_ID`, `_NAME`, `_SEED`, `_EXPERIMENT`, `_STATUS` and `_ERROR` say which and how.

    Returns:
        What went wrong, in one line for each; empty if nothing did.
    """
    return "\n".join(filter(None, (_call(command, run) for run in runs)))


def _call(command: str, run: RunView) -> str:
    told = {
        "RUN_ID": run.run_id,
        "NAME": run.name,
        "SEED": str(run.seed),
        "EXPERIMENT": run.experiment,
        "STATUS": run.status,
        "ERROR": run.error,
    }
    environment = {**os.environ, **{f"LTHTUI_{key}": value for key, value in told.items()}}
    try:
        ended = subprocess.run(
            ["sh", "-c", command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"on_end: {clean_line(str(error), 300)}"
    if ended.returncode == 0:
        return ""
    words = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
    return f"on_end ended with {ended.returncode}: {clean_line(' '.join(words), 300)}".rstrip(": ")


def _line(run: RunView, board: Board) -> str:
    group, won = board.group_of(run.run_id), run.winning
    name = f"{group.label if group else run.name} {run.repetition}"
    if run.error:
        return f"{GLYPHS[run.status]} {name} {run.status}: {run.error}"
    figures = ""
    if won and won.val is not None:
        figures = f": val {accuracy(won.val)} with {percent(won.density)} of the weights"
    return f"{GLYPHS[run.status]} {name} {run.status}{figures}"
