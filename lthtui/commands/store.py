"""Commands about the MLflow store: mlflow, sync."""

from __future__ import annotations

import getpass
import json
import socket
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import FAILED, UsageError
from engine.rundir import RunDirectory, Status, status
from engine.storefile import STORE
from lthtui import completion, holding, runnames, settings
from lthtui.commands import Json, Root
from lthtui.launch import owner
from lthtui.text import clean, clean_line
from lthtui.verbs import ask


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command()(mlflow)
    app.command()(sync)


def mlflow(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            autocompletion=completion.runs,
            help="The run whose page is wanted: its address is printed.",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65_535, help="Port; the first free one from 5000 by default."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address of this machine's loopback.")] = "127.0.0.1",
    root: Root = None,
) -> None:
    """Open MLflow's web pages on the store, until Ctrl-C."""
    from lthtui import mlflow_server, webpages

    folder = settings.root(root)
    (id, server) = webpages.of_folder(runnames.find(folder, [run])[0]) if run else ("", "")
    if server:  # which serves it all the time
        typer.echo(webpages.at(server, id))
        return

    def announce(address: str) -> None:
        used = address.rpartition(":")[2]
        typer.echo(
            f"MLflow shows {clean_line(str(folder))}; Ctrl-C ends it. Choose 'Model training' at"
            " the top left, once. Telemetry is off, whatever the pages say.",
            err=True,
        )
        typer.echo(f"From another machine, first: {tunnel(used)}", err=True)
        typer.echo(webpages.at(address, id) if id else address)

    mlflow_server.check(host, port)
    typer.echo("Starting MLflow...", err=True)
    ask(["ensure-store", str(folder)])
    mlflow_server.serve(folder, host, port, announce)


def sync(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            autocompletion=completion.runs,
            help="Any unique part of a run's id, NAME-s0, or @last; all that don't run by default.",
        ),
    ] = None,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Bring runs' journals over into MLflow, again or for the first time; safe to repeat."""
    folder = settings.root(root)
    chosen = runnames.find(folder, runs) if runs else _at_rest(folder)
    if not chosen:
        raise UsageError(f"no run in {folder} has ended; a running one is synced by its worker")
    owner.check(folder)
    report = ask(["sync", *(str(run.path) for run in chosen)], _Bystander(folder).look)
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        for run in report["runs"]:
            typer.echo(
                clean_line(
                    f"{run['run_id']}  {run['status']}  {run['rows']:,} values in experiment"
                    f" {run['experiment']}"
                )
            )
    for message in report["failed"].values():
        typer.echo(clean(message), err=True)
    if report["failed"]:
        raise typer.Exit(FAILED)


class _Bystander:
    """Says once of each process that it keeps a sync from the store of a root for a while."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._before: set[int] = set()
        self._told: set[int] = set()

    def look(self, sync: int) -> None:
        """Look who holds the store besides `sync`, a process of ours; most do for an instant."""
        found = holding.holders(self._root / STORE) - {sync}
        for holder in sorted(found & self._before - self._told):
            message = f"waiting for {holding.described(holder)}, which holds {self._root / STORE}"
            typer.echo(clean_line(f"{message}; Ctrl-C ends the waiting", 1000), err=True)
            self._told.add(holder)
        self._before = found


def _at_rest(root: Path) -> list[RunDirectory]:
    """The runs that have begun and don't run now."""
    begun = [run for run in runnames.every(root) if run.events_file.exists()]
    return [run for run in begun if status(run) != Status.RUNNING]


def tunnel(port: str) -> str:
    """The command by which another machine reaches a port of this one's loopback."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "USER"
    return clean_line(f"ssh -N -L {port}:127.0.0.1:{port} {user}@{socket.gethostname()}")
