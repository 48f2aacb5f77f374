"""Runs of spec files: the command run, and what it has in common with others that make runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.errors import FAILED, INTERRUPTED, OK, UsageError
from lthtui import completion, overrides, runnames, settings
from lthtui.commands import Json, Root, Specs
from lthtui.commands.saying import say
from lthtui.counting import counted
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.headless import Display
    from lthtui.launch.later import Later
    from lthtui.launch.queue import Submitted, Turn
    from lthtui.monitor import Watched
    from lthtui.readying import Ready
    from lthtui.specfiles import Expansion

KNOWN = {  # what is said of runs that nothing was queued of, by what became of them
    "active": "runs or waits already; --again makes a new run",
    "finished": "is finished already; --again makes a new run",
}


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(run)


Detach = Annotated[bool, typer.Option("--detach", "-d", help="Queue the runs and return at once.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be run; write nothing.")]
Again = Annotated[
    bool, typer.Option("--again", help="Make new runs even of what is finished or begun.")
]
Priority = Annotated[int, typer.Option(min=-1000, max=1000, help="Higher starts before lower.")]
After = Annotated[
    list[str] | None,
    typer.Option(
        metavar="RUN",
        autocompletion=completion.runs,
        help="Start once this run has finished; may be repeated.",
    ),
]
Hold = Annotated[bool, typer.Option("--hold", help="Queue them, but wait for `lthtui release`.")]


def run(
    arguments: Specs,
    detach: Detach = False,
    dry_run: DryRun = False,
    again: Again = False,
    priority: Priority = 0,
    after: After = None,
    hold: Hold = False,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Run spec files and follow them to the end; Ctrl-C stops them, `lthtui resume` goes on.

    A ticket that a spec refers to may be of a run that has yet to finish, such as one of a spec
    before it: it is waited for, with --detach by the queue.
    """
    from lthtui import specfiles
    from lthtui.commands import awaiting

    names, changes = overrides.separate(arguments)
    if not names:
        raise UsageError("no spec given; name a file, such as specs/quickstart.yaml")
    folder = settings.use(root)
    expansions: list[Expansion] = []
    for name in names:
        patience = awaiting.patience(folder, expansions, again)
        expanded = specfiles.expand(name, changes, patience)
        expansions.append(specfiles.without_search(expanded))
    if not again:
        _hint(folder, expansions)
    launch(folder, expansions, turn(folder, priority, after, hold), detach, dry_run, again, as_json)


def turn(folder: Path, priority: int, after: Sequence[str] | None, hold: bool) -> Turn:
    """When runs are to have their turn, as the options say."""
    from lthtui.launch.queue import Turn

    waited_for = [run for word in after or () for run in runnames.seeds(folder, word)]
    return Turn(priority, tuple(waited_for), hold)


def launch(
    folder: Path,
    expansions: Sequence[Expansion],
    turn: Turn,
    detach: bool,
    dry_run: bool,
    again: bool,
    as_json: bool,
    left: Sequence[Later] = (),
) -> None:
    """Run what spec files make; see `run`. `left` is what was left with the queue already.

    Raises:
        typer.Exit: the runs were followed to their end.
        FileError: a network cannot have the masks that are asked for.
        UsageError: the root cannot be written to.
    """
    from lthtui import layouts
    from lthtui.commands import awaiting, lacking
    from lthtui.launch import queue
    from lthtui.verbs import ask

    for expansion in expansions:
        for note in expansion.notes:
            say(f"{expansion.source}: {note}")
    layouts.check(expansions, ask, say)
    ready = [one for expansion in expansions for one in expansion.runs]
    awaited = [one for expansion in expansions for one in expansion.later]
    specs = [one.spec for one in ready]
    if dry_run:
        _dry_run(folder, queue.preview(folder, specs, again=again), ready, as_json)
        for found in awaited:
            name = f"{found.spec.name}-{found.spec.repetition}"
            say(f"{name} would start after {', '.join(found.after)}")
        return
    if detach:
        awaiting.refuse_again(again, [run for found in awaited for run in found.after])
    try:
        submitted = queue.submit(folder, specs, again=again, turn=turn)
    except OSError as error:
        why = clean_line(error.strerror or str(error), 1000)
        raise UsageError(f"{folder} cannot be written to ({why}); --root names another") from None
    for name in _on_other_images(submitted, ready):
        say(f"{name} was trained on other images than its data.root gives now")
    tell_shortage(folder, submitted)
    if detach:
        left = [*left, *awaiting.leave_runs(folder, awaited, turn)]
        left += awaiting.leave_listed(folder, expansions, submitted, turn)
        _detached(submitted, left, as_json)
        return
    watched, code = _to_the_end(folder, expansions, submitted, turn, again, as_json)
    _sum_up(watched, as_json)
    raise typer.Exit(awaiting.worst(code, lacking.code(watched)))


def _to_the_end(
    folder: Path,
    expansions: Sequence[Expansion],
    submitted: Sequence[Submitted],
    turn: Turn,
    again: bool,
    as_json: bool,
) -> tuple[list[Watched], int]:
    """Follow runs, then the controls that their spec files list, then what awaits a ticket."""
    from lthtui.commands import awaiting
    from lthtui.launch import queue

    awaited = [one for expansion in expansions for one in expansion.later]

    def controls() -> tuple[list[Expansion], bool]:
        found, complete = awaiting.controlled(folder, expansions, submitted, again)
        awaited.extend(one for expansion in found for one in expansion.later)
        return found, complete

    watched, code = follow(folder, submitted, as_json)
    for made in (controls, lambda: awaiting.ready(folder, awaited)):
        if code == INTERRUPTED:
            break
        found, complete = made()
        specs = [run.spec for expansion in found for run in expansion.runs]
        queued = queue.submit(folder, specs, again=again, turn=turn) if specs else []
        more, end = follow(folder, queued, as_json)
        watched, code = [*watched, *more], awaiting.worst(code, end, OK if complete else FAILED)
    return watched, code


def tell_shortage(root: Path, submitted: Sequence[Submitted]) -> None:
    """Say why the first of these runs has to wait, if it has to, for room on the disk."""
    from lthtui.launch import space

    first = next((one.directory for one in submitted if one.queued), None)
    if first and (short := space.shortage(root, first)):
        say(f"{short}; runs wait for room, and `lthtui gc --dry-run` shows what could go")


def _hint(folder: Path, expansions: Sequence[Expansion]) -> None:
    """Say which new runs would train again what a finished one has."""
    from lthtui import extending
    from lthtui.launch import queue

    ready = [one for expansion in expansions for one in expansion.runs]
    found = queue.preview(folder, [one.spec for one in ready])
    new = [run for run, one in zip(ready, found, strict=True) if one.action == "new"]
    for line in extending.hints(folder, new):
        say(line)


def _on_other_images(submitted: Sequence[Submitted], ready: Sequence[Ready]) -> Iterator[str]:
    """Finished runs whose data sets have changed since; their results are not those of today's."""
    for one, run in zip(submitted, ready, strict=True):
        drawn = one.directory.subset()
        if one.action == "finished" and drawn and drawn != run.images.subset:
            yield one.directory.run_id


def follow(
    root: Path,
    submitted: Sequence[Submitted],
    as_json: bool,
    known: Mapping[str, str] = KNOWN,
) -> tuple[list[Watched], int]:
    """Wait for the runs and show what they do; return them and the exit code."""
    from lthtui.headless import Follower

    if not submitted:
        return [], OK
    ids = list(dict.fromkeys(one.directory.run_id for one in submitted))
    names = tell_known(submitted, known)
    follower = Follower(root, submitted, display(submitted, names, as_json))
    follower.follow()
    return [follower.runs[run] for run in ids if run in follower.runs], follower.exit_code()


def tell_known(submitted: Sequence[Submitted], known: Mapping[str, str] = KNOWN) -> dict[str, str]:
    """Say which runs were there already, in the words of `known`; the short names of all."""
    names = runnames.short([one.directory.run_id for one in submitted])
    for one in submitted:
        if not one.queued:
            say(f"{names[one.directory.run_id]} {known[one.action]}")
    return names


def _sum_up(watched: Sequence[Watched], as_json: bool) -> None:
    """Show what came of runs."""
    from lthtui import epilogue

    if as_json:
        print_json("summary", [one.describe() for one in watched])
        return
    epilogue.results(watched)
    epilogue.failures(watched)
    epilogue.next_steps(watched)


def display(submitted: Sequence[Submitted], names: dict[str, str], as_json: bool) -> Display:
    """What shows runs while they are followed, fit for where the command writes."""
    from lthtui import narration

    if as_json:
        return narration.JsonLines(submitted, sys.stdout)
    if sys.stderr.isatty():
        return narration.Bars(names, submitted)
    return narration.Plain(names, submitted)


def _detached(submitted: Sequence[Submitted], left: Sequence[Later], as_json: bool) -> None:
    from lthtui.commands import awaiting
    from lthtui.monitor import describe

    if as_json:
        waiting = [one.model_dump(mode="json", include={"name", "after"}) for one in left]
        print_json("submitted", [describe(one.directory) for one in submitted], later=waiting)
        return
    awaiting.tell(left)
    tell_known(submitted)
    for one in submitted:
        typer.echo(one.directory.run_id)
    if any(one.queued for one in submitted):
        say(f"follow with `lthtui logs -f {submitted[0].directory.run_id}` or `lthtui`")


def _dry_run(
    folder: Path, submitted: Sequence[Submitted], ready: Sequence[Ready], as_json: bool
) -> None:
    from lthtui import extending

    rows: list[dict[str, Any]] = [
        {
            "run_id": one.directory.run_id,
            "action": one.action,
            "levels": len(run.plan.levels),
            "epochs": run.plan.epochs,
            "steps": run.plan.steps,
            "takes_over": extending.taken(folder, run),
        }
        for one, run in zip(submitted, ready, strict=True)
    ]
    if as_json:
        print_json("plan", rows)
        return
    words = {
        "new": "would start",
        "resumed": "would go on",
        "active": "runs or waits already",
        "finished": "is finished already",
    }
    for row in rows:
        what = ", ".join(counted(row[f"{noun}s"], noun) for noun in ("level", "epoch", "step"))
        typer.echo(f"{row['run_id']}  {words[str(row['action'])]}: {what}")


def print_json(kind: str, runs: Sequence[dict[str, Any]], **more: Any) -> None:
    typer.echo(json.dumps({"kind": kind, "runs": runs, **more}))
