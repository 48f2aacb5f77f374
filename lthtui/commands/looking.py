"""Commands that look at runs: list, show, logs."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from engine.rundir import RunDirectory, status
from lthtui import people, runnames, settings
from lthtui.commands import Json, Root
from lthtui.text import clean, clean_line

Run = Annotated[
    str, typer.Argument(metavar="RUN", help="Any unique part of a run's id, NAME-s0, or @last.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    for command in (show, logs):
        app.command()(command)
    app.command("list")(list_runs)


def list_runs(
    archived: Annotated[
        bool, typer.Option("--archived", help="Also runs that `lthtui archive` put aside.")
    ] = False,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """List runs, the oldest first."""
    from lthtui import identity, runtable
    from lthtui.labels import by_experiment
    from lthtui.launch import queue
    from lthtui.monitor import Watched
    from lthtui.notes import Book

    folder = settings.root(root)
    queue.rouse(folder)
    book, hidden = Book(folder), 0
    book.refresh()
    found, known, besides = [], [], []
    for directory in runnames.every(folder):
        if not archived and book.of(directory).archived:
            hidden += 1
            continue
        watched = Watched(directory, curves=False)
        watched.refresh()
        try:
            found.append(watched.describe(book))
            known.append(watched.identity)
        except (OSError, ValueError) as error:
            _say(f"{directory.run_id}: its spec can't be read: {error}")
            continue
        besides += [(found[-1], one) for one in identity.others(directory)]
    book.close()
    labels = by_experiment([*known, *(one for _, one in besides)])
    found = [{**run, "label": labels[run["experiment"], run["group"]]} for run in found]
    if as_json:
        typer.echo(json.dumps(found))
        return
    if hidden:
        _say(f"{hidden} archived; --archived shows all")
    if not found:
        if not hidden:
            _say("no runs yet; `lthtui run SPEC` makes one")
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    again = [runtable.same(run, one, labels[one.experiment, one.group]) for run, one in besides]
    for line in runtable.lines([*found, *again], width):
        typer.echo(line)
    if again:
        _say(f"{runtable.SAME}a run that stands in this list already, for this as well")


def show(name: Run, as_json: Json = False, root: Root = None) -> None:
    """Show one run: what it is, its levels, its winning ticket."""
    from lthtui import epilogue, extending
    from lthtui.labels import method
    from lthtui.launch import queue
    from lthtui.monitor import Watched

    folder = settings.root(root)
    queue.rouse(folder)
    (directory,) = runnames.find(folder, [name])
    watched = Watched(directory)
    watched.refresh()
    facts = watched.describe()
    if as_json:
        typer.echo(json.dumps(facts))
        return
    keys = ["run_id", "status", "experiment", "seed", "sparsifier", "dataset", "model", "directory"]
    for key in [*keys, "user"] if people.others([facts["user"]]) else keys:
        value = method(watched.identity.asked) if key == "sparsifier" else facts[key]
        typer.echo(f"{key:<12}{clean_line(str(value), 1000)}")
    controls = [*filter(None, [facts["controls"], *facts["also_controls"]])]
    for line in dict.fromkeys("{run}, level {level}: {kind}".format(**one) for one in controls):
        typer.echo(f"{'controls':<12}{clean_line(line)}")
    if facts["extends"]:
        typer.echo(f"{'extends':<12}{clean_line(extending.told(facts['extends']))}")
    for line in _noted(facts):
        typer.echo(line)
    typer.echo()
    epilogue.results([watched])
    epilogue.failures([watched])


def _noted(facts: dict[str, Any]) -> Iterator[str]:
    """What people noted of a run."""
    if facts["display_name"]:
        yield f"{'shown as':<12}{clean_line(facts['display_name'], 1000)}"
    if facts["archived"]:
        yield f"{'archived':<12}yes"
    if facts["tags"]:
        tags = " ".join(f"{key}={value}" for key, value in facts["tags"].items())
        yield f"{'tags':<12}{clean_line(tags, 1000)}"
    if facts["note"]:
        yield "\n" + clean(facts["note"])


def logs(
    name: Run,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")
    ] = False,
    lines: Annotated[
        int | None, typer.Option("-n", "--lines", min=0, help="Only so many of the last lines.")
    ] = None,
    root: Root = None,
) -> None:
    """Show what a run's worker wrote."""
    (directory,) = runnames.find(settings.root(root), [name])
    for line in _log(directory, lines, follow):
        typer.echo(line)


def _log(directory: RunDirectory, lines: int | None, follow: bool) -> Iterator[str]:
    """The lines of a log; with `follow`, also those to come until the run has ended for good."""
    from lthtui.launch import retrying
    from lthtui.logtail import shown

    while follow and not directory.log_file.exists() and retrying.goes_on(directory):
        time.sleep(0.1)
    if not directory.log_file.exists():
        _say(f"{directory.run_id} has no log yet: it is {status(directory)}")
        return
    with directory.log_file.open("rb") as file:
        for line in deque(file, lines) if lines is not None else file:
            yield shown(line.removesuffix(b"\n"))
        while follow:
            going = retrying.goes_on(directory)  # asked first, or its last lines might be missed
            for line in _grown(file):
                yield shown(line)
            if not going:
                return
            time.sleep(0.1)


def _grown(file: Any) -> Iterator[bytes]:
    """Lines that were completed since the last call."""
    while line := file.readline():
        if not line.endswith(b"\n"):
            file.seek(-len(line), 1)
            return
        yield line.removesuffix(b"\n")


def _say(message: str) -> None:
    typer.echo(clean(message), err=True)
