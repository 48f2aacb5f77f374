"""The command that derives the controls of a ticket, and runs them: control."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import FAILED, UsageError
from engine.sources import Level
from lthtui import completion, identity, overrides, runnames, settings
from lthtui.commands import Json, Root
from lthtui.commands.runs import After, Again, Detach, DryRun, Hold, Priority, launch, turn
from lthtui.identity import Control, Identity
from lthtui.text import clean_line

if TYPE_CHECKING:
    from engine.spec import RunSpec
    from lthtui.launch.queue import Submitted

Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN... [FIELD=VALUE]...",
        autocompletion=completion.runs_and_fields,
        help="Runs by any unique part of their ids, or @last. A NAME means all its seeds, as do the"
        " 6 or more digits of a group's id (those of its seed 0, too); NAME-s0 or DIGITS-s0 means"
        " one. And overrides such as train.epochs=9.",
    ),
]
OfLevel = Annotated[
    str,
    typer.Option(
        help="Level of the ticket: best (the picked one), last, or a number; null and budget"
        " are of the whole run."
    ),
]
Kind = Annotated[
    str,
    typer.Option(
        help="Which controls, with commas between them: same_layer, random, uniform, erk,"
        " reinit, shuffle, labels (these together: sanity), null, budget (together: split),"
        " small_dense, or all."
    ),
]
Write = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Write the specs there and run nothing."),
]


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(control)


def control(
    arguments: Runs,
    level: OfLevel = "best",
    kind: Kind = "all",
    write: Write = None,
    detach: Detach = False,
    dry_run: DryRun = False,
    again: Again = False,
    priority: Priority = 0,
    after: After = None,
    hold: Hold = False,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Run the controls of a ticket: what is left of its gain when something of it is taken away.

    Each is a run of the source's own spec but for what its kind changes: the mask's places
    (same_layer, random, uniform, erk), the weights (reinit, shuffle), what the mask was found on
    (labels: random ones, which takes all of the source's trainings again, and then one on the true
    labels), the network (small_dense), the pruning (null: as many trainings and picks without any,
    each to its end), or all but the cost (budget: one dense training as long as all of the
    source's). `lthtui worth` says what they show.

    A run that has yet to finish is waited for, with --detach by the queue.
    """
    from lthtui import controlkinds, controls
    from lthtui.commands import awaiting
    from lthtui.launch import queue, retrying
    from lthtui.launch.later import Later
    from lthtui.verbs import ask

    words, changes = overrides.separate(arguments)
    if not words:
        raise UsageError("no run given; `lthtui list` shows all")
    if write is not None and changes:
        raise UsageError("--write takes no overrides; give them to lthtui run, or edit the files")
    names, folder, number = controlkinds.kinds(kind), settings.use(root), _level(level)
    when, left = turn(folder, priority, after, hold), list[Later]()
    runs = list(
        {run.run_id: run for word in words for run in runnames.seeds(folder, word)}.values()
    )
    going = [] if dry_run or write else [run for run in runs if retrying.goes_on(run)]
    if going and detach:
        awaiting.refuse_again(again, [run.run_id for run in going])
        overrides.read_all(changes)
        left = awaiting.leave_controls(folder, going, changes, level, kind, when)
        words = [run.run_id for run in runs if run not in going]
    elif going:
        awaiting.wait(folder, going)
        if awaiting.unfinished(going):
            raise typer.Exit(FAILED)
    waiting = partial(awaiting.patience, folder, again=again)
    found = controls.originals(folder, words, number)
    derived = controls.derive(names, found, ask, waiting, changes)
    if write is not None:
        for path in controls.write([document for document, _ in derived], write):
            typer.echo(clean_line(str(path)))
        return
    expansions = [expansion for _, expansion in derived]
    specs = [run.spec for expansion in expansions for run in expansion.runs]
    for line in _shared(queue.preview(folder, specs, again=again), specs):
        typer.echo(line, err=True)
    launch(folder, expansions, when, detach, dry_run, again, as_json, left)


def _shared(found: Sequence[Submitted], specs: Sequence[RunSpec]) -> Iterator[str]:
    """What is said of runs that will stand for a control, but were made as something else."""
    known: dict[Path, list[Identity]] = {}
    for one, spec in zip(found, specs, strict=True):
        wanted, path = Identity.of(spec), one.directory.path
        if path not in known:
            new = one.action == "new"
            made = wanted if new else identity.read(one.directory)
            known[path] = [made, *identity.others(one.directory)]
        was, now = _named(known[path][0].controls), _named(wanted.controls)
        if was != now and wanted.group not in {other.group for other in known[path]}:
            yield clean_line(
                f"{one.directory.run_id} {_STANDING[one.action]} and stands for {now}, as well as"
                f" for {was}; --again makes another",
                1000,
            )


def _named(control: Control | None) -> str:
    """What a run counts as."""
    if control is None:
        return "a run of its own"
    return f"the {control.kind} of {control.run}, level {control.level}"


def _level(text: str) -> Level:
    if text == "best":
        return "best"
    if text == "last":
        return "last"
    if not text.isdecimal():
        raise UsageError(f"--level {clean_line(text)}: give best, last or a level's number")
    return int(text)


_STANDING = {
    "new": "starts once",
    "resumed": "goes on",
    "active": "runs or waits already",
    "finished": "is finished already",
}
