"""All commands of `lthtui` as a Typer app; without a command it opens the terminal app."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import USAGE
from lthtui import settings
from lthtui.commands import (
    compare,
    controls,
    doctor,
    extend,
    gc,
    looking,
    metrics,
    notes,
    queue,
    runs,
    search,
    specs,
    store,
    tickets,
    trash,
)

app = typer.Typer(
    name="lthtui",
    help="Find sparse winning tickets in small image sets: plan, launch, watch, compare.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
ABOUT_RUNS = (runs, looking, queue, controls, extend, search, compare, metrics, notes, trash)
for group in (specs, *ABOUT_RUNS, tickets, store, gc, doctor):
    group.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"lthtui {version('lthtui')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    root: Annotated[
        Path | None, typer.Option("--root", help="Root of all state, mlruns by default.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if root is not None:
        os.environ["LTHTUI_ROOT"] = str(root.absolute())
    if context.invoked_subcommand is not None:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(USAGE)
    from lthtui.app import run_app

    raise typer.Exit(run_app(settings.root()))
