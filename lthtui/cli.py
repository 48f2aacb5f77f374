"""The `lthtui` command: without a command the terminal app, otherwise one of `lthtui/commands/`."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import FAILED, INTERRUPTED, USAGE, LthError
from lthtui import settings
from lthtui.commands import runs, specs, store, tickets
from lthtui.text import clean, clean_line
from lthtui.yamlfile import FileError

BROKEN_PIPE = 141  # what a shell reports for a program that SIGPIPE ended

app = typer.Typer(
    name="lthtui",
    help="Find sparse winning tickets in small image sets: plan, launch, watch, compare.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (specs, runs, tickets, store):
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

    run_app(settings.root())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors become one message on stderr."""
    try:
        try:
            app(args=arguments, prog_name="lthtui")
        except SystemExit as end:
            sys.stdout.flush()
            return end.code if isinstance(end.code, int) else int(end.code is not None)
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        if os.environ.get("LTHTUI_DEBUG") == "1":
            traceback.print_exc()
        print(_message(error), file=sys.stderr)
        return error.exit_code if isinstance(error, LthError) else FAILED


def _message(error: Exception) -> str:
    if isinstance(error, FileError):
        return clean(str(error))
    if isinstance(error, LthError):
        return f"lthtui: {clean(str(error))}"
    if isinstance(error, OSError) and error.strerror:
        place = f": {error.filename}" if error.filename else ""
        return f"lthtui: {clean_line(error.strerror + place, 1000)}"
    what = clean_line(f"{type(error).__name__}: {error}", 1000)
    return f"lthtui: unexpected {what}\nThis is a bug; LTHTUI_DEBUG=1 shows where it happened."
