"""All commands of `lthtui` as a Typer app; without a command it opens the terminal app."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import USAGE
from lthtui import settings, tracking
from lthtui.commands import Tracking

GROUPS = {  # by file in `lthtui/commands/`, the commands that it has
    "specs": "check plan new schema",
    "runs": "run",
    "looking": "list show logs",
    "queue": "queue cancel pause resume retry hold release priority exchange limit",
    "controls": "control",
    "evaluate": "evaluate",
    "extend": "extend",
    "search": "search",
    "compare": "compare",
    "best": "best",
    "worth": "worth",
    "report": "report",
    "metrics": "metrics",
    "notes": "note tag rename archive",
    "trash": "trash",
    "tickets": "ticket",
    "data": "data",
    "store": "mlflow sync",
    "gc": "gc",
    "doctor": "doctor",
    "serve": "serve",
}


def tree(words: Sequence[str] = ()) -> typer.Typer:
    """The commands of a command line: only those are imported that its words may name, or all."""
    app = typer.Typer(
        name="lthtui",
        help="Find sparse winning tickets in small image sets: plan, launch, watch, compare.",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_start)
    meant = [group for group, commands in GROUPS.items() if {*commands.split()} & {*words}]
    if {"-h", "--help"} & {*words}:  # which may be asked of all of them
        meant = []
    for group in meant or GROUPS:
        import_module(f"lthtui.commands.{group}").register(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"lthtui {version('lthtui')}")
        raise typer.Exit


def _start(
    context: typer.Context,
    root: Annotated[
        Path | None, typer.Option("--root", help="Root of all state, mlruns by default.")
    ] = None,
    tracking_uri: Tracking = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if root is not None:
        os.environ["LTHTUI_ROOT"] = str(root.absolute())
    if tracking_uri is not None:
        os.environ[tracking.VARIABLE] = tracking_uri
    if context.invoked_subcommand is not None:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(USAGE)
    if not sys.stderr.isatty():
        typer.echo("lthtui: the app draws on stderr, which leads elsewhere; start it without 2>")
        raise typer.Exit(USAGE)
    from lthtui.app import run_app

    run_app(settings.root())
