"""What commands tell people beside their data, and what they ask: on standard error."""

from __future__ import annotations

import sys

import typer

from engine.errors import UsageError
from lthtui.text import clean


def say(message: str) -> None:
    """Tell something that is no data."""
    typer.echo(clean(message), err=True)


def confirm(question: str, yes: bool, otherwise: str) -> None:
    """Ask on a terminal, unless the answer was given already.

    Args:
        otherwise: what to do where there is no terminal.

    Raises:
        UsageError: there is none.
        typer.Abort: the answer is no.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(otherwise)
    typer.confirm(question, abort=True, err=True)
