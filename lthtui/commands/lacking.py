"""What finished runs lack of the evaluations asked of them, as commands say in the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.errors import FAILED, OK, RESUMABLE
from engine.rundir import Status, wish
from lthtui.commands.awaiting import worst
from lthtui.commands.saying import say

if TYPE_CHECKING:
    from lthtui.monitor import Watched


def code(runs: Iterable[Watched]) -> int:
    """Say what runs that have finished still lack, and why; the exit code for that."""
    return worst(OK, *[_code(run) for run in runs if run.status == Status.FINISHED])


def _code(run: Watched) -> int:
    from lthtui import evaluations
    from lthtui.launch import retrying

    if retrying.goes_on(run.directory):
        return OK
    if cut := evaluations.left(run):
        why = f" ({run.trouble()})" if retrying.cause(run.directory) else ""
        what = f"make {cut[0]}, which its worker did not get to{why}"
    elif run.progress.unevaluated:
        what = "try what failed"
    else:
        return OK
    say(f"{run.run_id}: give the command again to {what}; lthtui logs {run.run_id}")
    return RESUMABLE if cut and wish(run.directory) else FAILED
