"""Where a run's page of MLflow's own UI is: its address, and what has to serve it first."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from engine import link
from engine.errors import UsageError
from engine.rundir import RunDirectory
from lthtui.heat import Line, fact
from lthtui.runview import RunView
from lthtui.text import clean_line

USUAL = "http://127.0.0.1:5000"  # where `lthtui mlflow` and `mlflow ui` serve unless it is taken
_SERVERS = ("http://", "https://")


class WebPage(NamedTuple):
    """A page; `served` is the command that serves it, empty where a server does so all the time."""

    address: str
    served: str = ""


def at(server: str, mlflow_run_id: str) -> str:
    """The address of a run's page; MLflow's UI goes on from there to the run's experiment."""
    return f"{server.rstrip('/')}/#/runs/{quote(mlflow_run_id, safe='')}"


def of_folder(directory: RunDirectory) -> tuple[str, str]:
    """A run's id in MLflow, and the address of the server that has it; empty for its root's store.

    Raises:
        UsageError: MLflow was not told of it.
    """
    known = link.read(directory)
    if known is None:
        run_id = clean_line(directory.path.name)
        raise UsageError(f"MLflow was not told of {run_id} yet; `lthtui sync {run_id}` does that")
    return known.mlflow_run_id, _server(known.tracking_uri)


def of_run(run: RunView, root: Path, store: str | None) -> WebPage:
    """The page of a run.

    Args:
        store: the address of the store that is browsed instead of the root's own.

    Raises:
        UsageError: as `of_folder`.
    """
    id, server = run.stored, _server(store or "")
    if run.directory:
        id, server = of_folder(RunDirectory(Path(run.directory)))
    if server:
        return WebPage(at(server, id))
    command = ["lthtui", "--root", str(root), "mlflow"]
    if store and not run.directory:
        command = ["mlflow", "ui", "--backend-store-uri", store]
    return WebPage(at(USUAL, id), shlex.join(command))


def known(runs: Sequence[RunView], root: Path, store: str | None) -> dict[str, WebPage]:
    """By the names of repetitions, the pages of those runs that MLflow was told of."""
    found: dict[str, WebPage] = {}
    for run in runs:
        try:
            found[str(run.repetition)] = of_run(run, root, store)
        except UsageError:
            continue  # as a run that has just begun
    return found


def lines(pages: Mapping[str, WebPage], width: int) -> list[Line]:
    """The addresses as links, and what serves them."""
    found: list[Line] = []
    for name, page in pages.items():
        label = "" if found else "mlflow"
        named = f"{name}  " if len(pages) > 1 else ""
        address = clean_line(page.address, 1000)
        found += fact(label, f"{named}{address}", width, link=page.address)
    for served in dict.fromkeys(page.served for page in pages.values() if page.served):
        found += fact("", f"while `{clean_line(served, 1000)}` serves it", width, "dim")
    return found


def _server(uri: str) -> str:
    return uri if uri.startswith(_SERVERS) else ""
