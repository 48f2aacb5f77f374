"""The command for runs that nobody wants any more: trash."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import FAILED, UsageError
from engine.rundir import RunDirectory
from lthtui import people, runnames, settings
from lthtui.commands import Json, Root
from lthtui.commands.meant import Experiment, Runs, User
from lthtui.commands.notes import chosen_folders
from lthtui.commands.saying import confirm, say, tell_mlflow
from lthtui.text import clean_line

OTHERWISE = "nothing was done: give --yes to do it"


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("trash")(throw)


def throw(
    names: Runs = None,
    experiment: Experiment = None,
    user: User = None,
    listing: Annotated[bool, typer.Option("--list", help="Show what is in the trash.")] = False,
    restore: Annotated[bool, typer.Option("--restore", help="Take runs out of it again.")] = False,
    empty: Annotated[
        bool, typer.Option("--empty", help="Remove runs in it for good; all yours by default.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Put runs into the trash: no list shows them any more, and MLflow has them as deleted.

    Runs that wait or run stay, and those that others need which have not finished.
    """
    from lthtui import trash

    folder = settings.root(root)
    if sum((listing, restore, empty)) > 1:
        raise UsageError("give one of --list, --restore and --empty")
    if listing:
        _list(folder, as_json)
        return
    _later(trash.finish(folder, tell_mlflow))
    if restore and not names and experiment is None:
        raise UsageError("name runs to take out of the trash, or give --experiment NAME")
    if restore:
        runs = _thrown(folder, names or (), experiment, user)
        _tell(runs, "restored", trash.restore(folder, runs, tell_mlflow))
    elif empty:
        _empty(folder, _thrown(folder, names or (), experiment, user), yes)
    else:
        runs = chosen_folders(folder, names or (), experiment, user)
        if runs:  # none where all are other people's, which was said
            confirm(f"Put {_count(runs)} into the trash?", yes, OTHERWISE)
        _tell(runs, "is in the trash", trash.throw(folder, runs, tell_mlflow))


def _thrown(
    root: Path, names: Sequence[str], experiment: str | None, user: str | None
) -> list[RunDirectory]:
    """Runs in the trash: those that are named, or a person's, of one experiment or of all."""
    from lthtui import trash

    if names:
        found = [run for word in names for run in runnames.seeds(root, word, trash.FOLDER)]
        return [*{run.run_id: run for run in found}.values()]
    return [
        run
        for run in runnames.every(root, trash.FOLDER)
        if people.meant(people.of(run), user)
        and (experiment is None or runnames.experiment(run) == experiment)
    ]


def _empty(root: Path, runs: Sequence[RunDirectory], yes: bool) -> None:
    from lthtui import trash
    from lthtui.planning import size

    if not runs:
        say("the trash is empty")
        return
    confirm(f"Remove {_count(runs)} for good?", yes, OTHERWISE)
    freed, why = trash.empty(root, runs, tell_mlflow)
    typer.echo(f"freed {size(freed)}")
    for run, said in why.items():
        place = shlex.quote(str(root / trash.FOLDER / run))
        say(f"{run} stays: {said}; `rm -r {place}` removes it all the same")
    if why:
        raise typer.Exit(FAILED)


def _list(root: Path, as_json: bool) -> None:
    from lthtui import trash
    from lthtui.aligned import aligned
    from lthtui.planning import size

    found = trash.listed(root)
    if as_json:
        facts = [
            {"run_id": one.directory.run_id, "since": one.since, "bytes": one.bytes}
            for one in found
        ]
        typer.echo(json.dumps(facts))
        return
    if not found:
        say("the trash is empty")
        return
    rows = [(clean_line(one.directory.run_id), _day(one.since), size(one.bytes)) for one in found]
    for line in aligned(("RUN", "SINCE", "SIZE"), rows):
        typer.echo(line)


def _tell(runs: Sequence[RunDirectory], what: str, why: Mapping[str, str]) -> None:
    for run in runs:
        typer.echo(clean_line(f"{run.run_id} {what}", 1000))
    _later(why)


def _later(why: Mapping[str, str]) -> None:
    for run, said in why.items():
        say(f"MLflow is told later of {run}, by the next `lthtui trash`: {said}")


def _count(runs: Sequence[RunDirectory]) -> str:
    return f"{len(runs)} runs" if len(runs) > 1 else clean_line(runs[0].run_id)


def _day(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when))
