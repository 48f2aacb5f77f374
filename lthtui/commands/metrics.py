"""The command that takes numbers away: metrics."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import UsageError
from lthtui import settings, tracking
from lthtui.commands import Root, Tracking
from lthtui.commands.meant import Experiment, Runs, User
from lthtui.commands.notes import chosen
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.exporting import Row


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(metrics)


def metrics(
    names: Runs = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="A .csv or .parquet file; CSV to the terminal if not."),
    ] = None,
    patterns: Annotated[
        list[str] | None,
        typer.Option("--metric", metavar="GLOB", help="Only these, such as 'level/*'; repeatable."),
    ] = None,
    experiment: Experiment = None,
    user: User = None,
    root: Root = None,
    tracking_uri: Tracking = None,
) -> None:
    """Write every value of runs' metrics, one a row: run, group, seed, metric, step, time, value.

    Those of runs with a folder come from their journals, those of others from the MLflow store.
    """
    from lthtui import browsed, exporting
    from lthtui.store import Store

    folder = settings.root(root)
    address, subjects = tracking.browsed(folder, tracking_uri), []
    if address is None:
        subjects += chosen(folder, names or (), experiment, user)
    elif bool(names) == (experiment is not None) or user is not None:
        raise UsageError("of a store that is browsed, name runs or give --experiment NAME")
    else:
        subjects += browsed.summaries(address, names or (), experiment)
    store = Store(address or folder)
    try:
        found = exporting.rows(subjects, store, patterns or ())
        if output is None:
            shown = map(_cleaned, found) if sys.stdout.isatty() else found
            count = exporting.write_csv(shown, sys.stdout)
        else:
            count = exporting.write(found, output)
    finally:
        store.close()
    if output is not None or not count:
        hint = "" if count else "; `--metric` takes names such as level/val_accuracy, and patterns"
        typer.echo(f"{count:,} values of {len(subjects)} run(s){hint}", err=True)


def _cleaned(row: Row) -> Row:
    return row._replace(name=clean_line(row.name), metric=clean_line(row.metric, 1000))
