"""The command that makes longer runs of finished ones, which go on from what exists: extend."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.errors import UsageError
from lthtui import completion, overrides, settings
from lthtui.commands import Json, Root
from lthtui.commands.runs import After, Detach, DryRun, Hold, Priority, launch, turn

Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN... FIELD=VALUE...",
        autocompletion=completion.runs_and_fields,
        help="Finished runs by any unique part of their ids, or @last; a NAME, or 6 or more digits"
        " of a group's id, means all its seeds. And what they are to have more of:"
        " sparsifier.levels=20, train.epochs=200, seeds=0,1,2,3,4.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(extend)


def extend(
    arguments: Runs,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="So many seeds in all; those that exist stay.")
    ] = None,
    detach: Detach = False,
    dry_run: DryRun = False,
    priority: Priority = 0,
    after: After = None,
    hold: Hold = False,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Make longer runs of finished ones: what is trained already is taken over, and they go on.

    Each is a run of its own, the same to the bit as one of the longer spec trained from the start;
    the finished run stays as it is. What cannot be had in this way is refused, and why.
    """
    from lthtui import extending

    words, changes = overrides.separate(arguments)
    if not words:
        raise UsageError("no run given; `lthtui list` shows all")
    folder = settings.use(root)
    expansions, longer = extending.derive(folder, words, changes, seeds)
    for line in dict.fromkeys(filter(None, (one.told for one in longer))):
        typer.echo(line, err=True)
    launch(folder, expansions, turn(folder, priority, after, hold), detach, dry_run, False, as_json)
