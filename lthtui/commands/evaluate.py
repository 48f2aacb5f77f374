"""The command that evaluates tickets of finished runs: evaluate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import UsageError
from lthtui import completion, overrides, runnames, settings
from lthtui.commands import Json, Root
from lthtui.commands.runs import (
    After,
    Detach,
    Hold,
    Priority,
    follow,
    print_json,
    tell_known,
    tell_shortage,
    turn,
)
from lthtui.commands.saying import say

if TYPE_CHECKING:
    from engine.rundir import RunDirectory
    from lthtui.monitor import Watched

MADE = {  # what is said of runs that nothing was queued of, by what became of them
    "active": "runs or waits already, and makes them in the end",
    "finished": "has them already; nothing is made again",
}

Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN... [EVALUATION.FIELD=VALUE]...",
        autocompletion=completion.runs,
        help="Runs by any unique part of their ids, or @last. A NAME, or 6 or more digits of a"
        " group's id, means all its seeds, an EXPERIMENT all its groups but controls. And settings"
        " such as fgsm.epsilon=4.",
    ),
]
With = Annotated[
    str,
    typer.Option(
        "--with",
        metavar="NAMES",
        help="Evaluations, with commas between them; by default what the specs list and what was"
        " asked for before, as far as it is missing.",
    ),
]
Levels = Annotated[
    str,
    typer.Option(
        "--level",
        help="Tickets, with commas between them: best (the picked one), dense, last, all, every N,"
        " or numbers of levels; by default what each evaluation names itself.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(evaluate)


def evaluate(
    arguments: Runs,
    names: With = "",
    level: Levels = "",
    detach: Detach = False,
    priority: Priority = 0,
    after: After = None,
    hold: Hold = False,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Measure tickets of runs that have been trained: robustness, calibration, overlap, ...

    Each run has its evaluations made by a worker of its own, on its own images, and logged to its
    own MLflow run. What was made before of these very tickets is not made again; what fails costs
    the run nothing. A run that still goes on makes them when it is over.
    """
    from lthtui import evaluations
    from lthtui.commands import lacking
    from lthtui.launch import queue

    words, changes = overrides.separate(arguments)
    if not words:
        raise UsageError("no run given; `lthtui list` shows all")
    folder = settings.use(root)
    wanted = evaluations.wanted(names, changes, level)
    if level and not wanted:
        raise UsageError("--level says nothing without --with; name the evaluations, too")
    final = {run.run_id: run for word in words for run in _meant(folder, word)}.values()
    asked = [(run, evaluations.of_run(wanted, run, folder)) for run in final]
    submitted = queue.evaluate(asked, turn=turn(folder, priority, after, hold))
    tell_shortage(folder, submitted)
    if detach:
        tell_known(submitted, MADE)
        for one in submitted:
            typer.echo(one.directory.run_id)
        return
    watched, code = follow(folder, submitted, as_json, MADE)
    if as_json:
        print_json("summary", [one.describe() for one in watched])
    else:
        _show(watched)
    raise typer.Exit(code or lacking.code(watched))


def _meant(root: Path, word: str) -> list[RunDirectory]:
    """The runs that a word means, as all of an experiment that have final tickets, controls aside.

    Raises:
        UsageError: it means none, or one whose tickets are not final.
    """
    from lthtui import evaluations

    groups = runnames.groups(root, word)
    if len(groups) < 2:
        return [evaluations.final(run) for run in runnames.seeds(root, word)]
    found = []
    for run in (run for runs in groups.values() for run in runs):
        try:
            found.append(evaluations.final(run))
        except UsageError as error:
            say(f"left out: {error}")
    return found


def _show(watched: Sequence[Watched]) -> None:
    from lthtui import evaluationtable, runview

    groups: dict[str, list[Watched]] = {}
    for run in watched:
        groups.setdefault(run.identity.group, []).append(run)
    for runs in groups.values():
        over = f", mean ± deviation over {len(runs)} runs" if runs[1:] else ""
        typer.echo(f"{runs[0].identity.name} {runs[0].identity.group[:6]}{over}")
        for line in evaluationtable.lines([runview.view(one) for one in runs]):
            typer.echo(line)
