"""What commands tell people beside their data, and what they ask: on standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer

from engine.errors import UsageError
from lthtui.text import clean

SILENCE = 3  # seconds of waiting that need no word


def say(message: str) -> None:
    """Tell something that is no data."""
    typer.echo(clean(message), err=True)


def tell_mlflow(arguments: Sequence[str]) -> dict[str, Any]:
    """As `verbs.ask`, of a verb that tells MLflow what became of runs; say so if that lasts."""
    from lthtui import verbs

    calls = iter(range(1, SILENCE + 1))

    def meanwhile(process: int) -> None:
        if next(calls, None) == SILENCE:
            say("MLflow is being told, which takes a while")

    return verbs.ask(arguments, meanwhile)


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
