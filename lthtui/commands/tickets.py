"""Commands about tickets: list, export, verify, overlap, import."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.errors import FAILED, UsageError
from lthtui import completion, runnames, settings, specfiles, tracking
from lthtui.aligned import aligned
from lthtui.commands import Json, Root, Tracking
from lthtui.commands.looking import Filter, Sort
from lthtui.monitor import Watched
from lthtui.text import clean, clean_line
from lthtui.verbs import ask

COLUMNS = (
    "id,sparsifier as method,dataset as data,model,best_level as level,density,val,test,gain,size"
)
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        autocompletion=completion.runs,
        help="Any unique part of a run's id, or @last.",
    ),
]
Output = Annotated[Path, typer.Option("-o", "--output", help="The file to write.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    group = typer.Typer(
        help="List tickets, compare them, take them away, check them, bring masks in.",
        no_args_is_help=True,
    )
    group.command("list")(list_)
    group.command()(export)
    group.command()(verify)
    group.command()(overlap)
    group.command("import")(import_)
    app.add_typer(group, name="ticket")


def list_(
    wanted: Filter = "",
    sort: Sort = "",
    winning: Annotated[
        bool, typer.Option("--winning", help="Only those that are pruned and beat dense.")
    ] = False,
    root: Root = None,
    as_json: Json = False,
    tracking_uri: Tracking = None,
) -> None:
    """List the picked ticket of every run that has one, the oldest run first.

    FILTER and FIELDS are as for `lthtui list`; density, val, test, gain and size (in bytes) are the
    ticket's.
    """
    from lthtui import browsed, listing, verdict
    from lthtui.runview import view

    folder, curves = settings.root(root), listing.needs_curves(wanted, sort)
    described: dict[str, Callable[[], dict[str, Any]]] = {}
    if address := tracking.listed(folder, tracking_uri):
        runs = [*browsed.read(address, browsed.extremes(wanted, sort, "")).values()]
        described |= {run.run_id: partial(browsed.describe, run) for run in runs}
    else:
        known = [Watched(run, curves=curves) for run in runnames.every(folder)]
        for watched in known:
            watched.refresh()
        runs = [view(watched) for watched in known]
        described |= {watched.run_id: watched.describe for watched in known}
    asked = listing.Listing(runs, {})
    rows = [
        run
        for run in asked.arranged(asked.found(wanted), sort)
        if run.final
        and run.winning
        and run.winning.ticket
        and (not winning or (run.winning.sparse and verdict.wins(run)))
    ]
    if as_json:
        typer.echo(json.dumps([described[run.run_id]() for run in rows], indent=2))
        return
    if not rows:
        which = "no ticket is like that" if wanted or winning else "no tickets yet"
        typer.echo(f"{which}; `lthtui run SPEC` finds some", err=True)
        return
    header, *lines = asked.table(rows, COLUMNS)
    said = {True: "beats dense", False: "does not beat dense", None: ""}
    verdicts = [said[run.won] for run in rows]
    for line in aligned([*header, ""], [[*a, b] for a, b in zip(lines, verdicts, strict=True)]):
        typer.echo(line)


def overlap(
    tickets: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN[:LEVEL]...",
            autocompletion=completion.runs,
            help="Runs, each with a level: a number, last, or best, as without any. A NAME means"
            " all its seeds. Or ticket files.",
        ),
    ],
    layers: Annotated[
        bool, typer.Option("--layers", help="Also of every layer, for each two tickets.")
    ] = False,
    root: Root = None,
    as_json: Json = False,
) -> None:
    """Compare the masks of tickets of one network: weights in both over those in either (IoU).

    Beside it, in brackets, what two random masks that keep as much in every layer would share.
    """
    from engine.overlap import describe
    from lthtui import masksof, overlap

    found = overlap.measure(masksof.named(settings.root(root), tickets))
    if as_json:
        typer.echo(json.dumps(describe(found)))
        return
    for line in aligned(*overlap.table(found)):
        typer.echo(line)
    if layers:
        typer.echo()
        for line in aligned(*overlap.by_layer(found)):
            typer.echo(line)


def export(
    run: Run,
    output: Output,
    level: Annotated[
        str,
        typer.Option(
            autocompletion=completion.levels, help="best (the picked one), last, or a number."
        ),
    ] = "best",
    form: Annotated[
        str,
        typer.Option("--format", help="ticket (safetensors) or state_dict (a plain masked .pt)."),
    ] = "ticket",
    root: Root = None,
    as_json: Json = False,
) -> None:
    """Write a ticket to a file, with its card beside it as .json."""
    if form not in ("ticket", "state_dict"):
        raise UsageError(f"no format '{form}'; ticket or state_dict")
    [directory] = runnames.find(settings.root(root), [run])
    where = ["-o", str(output.absolute())]
    card = ask(["export", str(directory.path), "--level", level, "--format", form, *where])
    _tell(card, output, as_json)


def verify(
    ticket: Annotated[Path, typer.Argument(help="A ticket file.")],
    data_root: Annotated[
        str | None, typer.Option("--data-root", help="Where the images are, if not as on the card.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Reload a ticket into a fresh network and score the same images again."""
    where = ["--data-root", data_root] if data_root else []
    report = ask(["verify", str(ticket.absolute()), *where])
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        for line in _findings(report):
            typer.echo(clean(line))
    if not report["verified"]:
        raise typer.Exit(FAILED)


def import_(
    checkpoint: Annotated[Path, typer.Argument(help="A file that torch.nn.utils.prune wrote.")],
    spec: Annotated[str, typer.Option(help="A spec whose model and data the file belongs to.")],
    output: Output,
    as_json: Json = False,
) -> None:
    """Turn a checkpoint pruned with torch.nn.utils.prune into a ticket file."""
    resolved = specfiles.load(spec)[0]
    with tempfile.TemporaryDirectory(prefix="lthtui-") as folder:
        file = Path(folder) / "spec.yaml"
        file.write_text(specfiles.write(resolved))
        where = ["--spec", str(file), "-o", str(output.absolute())]
        card = ask(["import", str(checkpoint.absolute()), *where])
    _tell(card, output, as_json)


def _tell(card: dict[str, Any], output: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(card, indent=2))
        return
    typer.echo(f"{clean_line(str(output))}")
    level = "" if card["level"] is None else f"level {card['level']}, "
    typer.echo(
        f"{level}{card['kept']:,} of {card['total']:,} weights ({card['density']:.2%}),"
        f" sha256 {card['sha256'][:16]}",
        err=True,
    )


def _findings(report: dict[str, Any]) -> list[str]:
    lines = [
        f"{split}: {found['correct']}/{found['total']} correct,"
        f" the card says {found['claimed_correct']}/{found['claimed_total']}"
        for split, found in report["splits"].items()
    ]
    if not report["same_images"]:
        lines.append("the images drawn here are not those of the card; is it the same data set?")
    verdict = "verified" if report["verified"] else "NOT verified"
    return [*lines, f"{verdict}: {report['density']:.2%} of the prunable weights live"]
