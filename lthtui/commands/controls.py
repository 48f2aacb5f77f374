"""The command that derives the controls of a ticket, and runs them: control."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.errors import UsageError
from engine.sources import Level
from lthtui import overrides, settings
from lthtui.commands import Json, Root
from lthtui.commands.runs import Again, Detach, DryRun, Priority, launch
from lthtui.text import clean_line

Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN... [FIELD=VALUE]...",
        help="Runs by any unique part of their ids, NAME-s0 or @last, or a NAME for all its seeds;"
        " and overrides such as train.epochs=9.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(control)


def control(
    arguments: Runs,
    level: Annotated[
        str, typer.Option(help="Level of the ticket: best (the picked one), last, or a number.")
    ] = "best",
    kind: Annotated[
        str,
        typer.Option(
            help="Which controls, with commas between them: same_layer, random, uniform, erk,"
            " reinit, shuffle, small_dense, null, budget, or all."
        ),
    ] = "all",
    write: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the specs there and run nothing."),
    ] = None,
    detach: Detach = False,
    dry_run: DryRun = False,
    again: Again = False,
    priority: Priority = 0,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Run the controls of a ticket: what is left of its gain when something of it is taken away.

    Each is a run of the source's own spec but for what its kind changes: the mask's places
    (same_layer, random, uniform, erk), the weights (reinit, shuffle), the network (small_dense),
    the pruning (null: as many trainings and picks without any), or all but the cost (budget: one
    dense training as long as all of the source's).
    """
    from lthtui import controls, specfiles
    from lthtui.commands.tickets import ask

    words, changes = overrides.separate(arguments)
    if not words:
        raise UsageError("no run given; `lthtui list` shows all")
    if write is not None and changes:
        raise UsageError("--write takes no overrides; give them to lthtui run, or edit the files")
    names, folder = controls.kinds(kind), settings.use(root)
    found = controls.originals(folder, words, _level(level))
    documents = [one for name in names for one in controls.documents(name, found, ask)]
    if write is not None:
        for path in controls.write(documents, write):
            typer.echo(clean_line(str(path)))
        return
    expansions = [
        specfiles.expand_document(controls.parsed(one), one["name"], changes) for one in documents
    ]
    launch(folder, expansions, detach, dry_run, again, priority, as_json)


def _level(text: str) -> Level:
    if text == "best":
        return "best"
    if text == "last":
        return "last"
    if not text.isdecimal():
        raise UsageError(f"--level {clean_line(text)}: give best, last or a level's number")
    return int(text)
