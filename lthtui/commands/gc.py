"""The command that frees disk space: gc."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lthtui import completion, runnames, settings
from lthtui.commands import Json, Root
from lthtui.commands.saying import confirm
from lthtui.text import clean_line
from lthtui.verbs import ask

if TYPE_CHECKING:
    from lthtui.gc import Waste

OTHERWISE = "nothing was removed: give --yes to remove it, or --dry-run to only look"


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(gc)


def gc(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            autocompletion=completion.runs,
            help="Any unique part of a run's id, NAME-s0, or @last; all by default.",
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS",
            help='Levels whose weights stay, such as "best,last,dense" or "best,every 5"; what each'
            " run's spec says by default.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed; remove nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Remove weights that need not be kept, old checkpoints and leftovers of killed processes.

    Masks, numbers and what runs go on from stay; runs that wait or run are left alone.
    """
    from lthtui.gc import Sweep, words

    folder = settings.root(root)
    named = tuple(runnames.find(folder, runs)) if runs else None
    sweep = Sweep(folder, named, words(keep) if keep is not None else None, ask)
    waste = sweep.survey()
    if as_json and (dry_run or not waste.items):
        _print_json(waste, folder, removed=False)
        return
    if not as_json:
        _show(waste, folder, runs is not None)
    if dry_run or not waste.items:
        return
    confirm("Remove it?", yes, OTHERWISE)
    done = sweep.clear()
    if as_json:
        _print_json(done, folder, removed=True)
    else:
        typer.echo(f"freed {_size(done.bytes)}")


def _show(waste: Waste, root: Path, named: bool) -> None:
    for line in _lines(waste, root):
        typer.echo(clean_line(line, 1000))
    if named:
        for run, why in waste.skipped.items():
            typer.echo(clean_line(f"{run} is left alone: {why}", 1000), err=True)
    if trashed := _trashed(root):
        typer.echo(
            f"{trashed['runs']} run(s) in the trash take {_size(trashed['bytes'])}, which"
            " `lthtui trash --empty` frees",
            err=True,
        )
    if not waste.items:
        typer.echo("nothing to remove", err=True)
    else:
        typer.echo(f"all of it frees {_size(waste.bytes)}", err=True)


def _lines(waste: Waste, root: Path) -> Iterator[str]:
    """One line per run and kind."""
    gathered: dict[tuple[str, str], list[Any]] = {}
    for item in waste.items:
        gathered.setdefault((item.run_id, item.kind), []).append(item)
    for (run, kind), items in gathered.items():
        what = _what(kind, items, root)
        yield f"{run or root.name}  {what}  {_size(sum(item.bytes for item in items))}"


def _what(kind: str, items: list[Any], root: Path) -> str:
    match kind:
        case "weights":
            levels = ", ".join(str(item.level) for item in items)
            won = next((f", the winning ticket of level {i.level}" for i in items if i.winning), "")
            return f"weights of level {levels}{won}"
        case "checkpoint":
            return f"{len(items)} old checkpoint(s)"
        case "temporary":
            return f"{len(items)} temporary file(s) of processes that are gone"
    names = ", ".join(item.files[0].stem for item in items)
    return f"entries of the queue for no run: {names}"


def _print_json(waste: Waste, root: Path, removed: bool) -> None:
    items = [
        {
            "kind": item.kind,
            "run_id": item.run_id or None,
            "level": item.level,
            "winning": item.winning,
            "bytes": item.bytes,
            "files": [str(file.relative_to(root)) for file in item.files],
        }
        for item in waste.items
    ]
    report = {
        "removed": removed,
        "bytes": waste.bytes,
        "items": items,
        "skipped": waste.skipped,
        "trash": _trashed(root) or {"runs": 0, "bytes": 0},
    }
    typer.echo(json.dumps(report, indent=2))


def _trashed(root: Path) -> dict[str, int]:
    """How many runs are in the trash, and what they take; empty where there are none."""
    from lthtui import trash

    found = trash.listed(root)
    return {"runs": len(found), "bytes": sum(one.bytes for one in found)} if found else {}


def _size(count: int) -> str:
    from lthtui.planning import size

    return size(count)
