"""What `run` and `control` do about what has yet to be made: wait for it, or leave word."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from engine.errors import FAILED, INTERRUPTED, OK, RESUMABLE, LthError, UsageError
from engine.repetition import Repetition
from engine.rundir import RunDirectory, Status, status
from lthtui import identity, runnames, specfiles, yamlfile
from lthtui.commands.saying import say
from lthtui.sources import Found, Patience
from lthtui.specfiles import Expansion
from lthtui.text import clean_line

if TYPE_CHECKING:
    from lthtui.launch.later import Later
    from lthtui.launch.queue import Submitted, Turn


def patience(folder: Path, before: Sequence[Expansion], again: bool) -> Patience:
    """That tickets may be waited for; a name means a run of these spec files first."""
    from lthtui.launch import queue

    specs = [run.spec for expansion in before for run in expansion.runs]
    made = defaultdict[tuple[str, Repetition], list[str]](list)
    for spec, one in zip(specs, queue.preview(folder, specs, again=again), strict=True):
        made[spec.name, spec.repetition].append(one.directory.run_id)
    return Patience(made)


def wait(folder: Path, runs: Iterable[RunDirectory]) -> None:
    """Return when none of these runs goes on by itself; Ctrl-C leaves them alone.

    Raises:
        typer.Exit: Ctrl-C came.
    """
    from lthtui.headless import Follower
    from lthtui.launch import retrying
    from lthtui.launch.queue import Submitted
    from lthtui.narration import Plain

    going = [Submitted(run, "active") for run in runs if retrying.goes_on(run)]
    if not going:
        return
    names = runnames.short([one.directory.run_id for one in going])
    listed = ", ".join(names.values())
    say(f"waiting for {listed} to finish; Ctrl-C ends the waiting and nothing else")
    follower = Follower(folder, going, Plain(names, going))
    follower.follow(mirrored=False)  # what comes next needs runs, not MLflow
    if follower.interrupted:
        raise typer.Exit(INTERRUPTED)


def unfinished(runs: Iterable[RunDirectory]) -> bool:
    """Say which runs have not finished, and what to do; whether there are any."""
    left = [run for run in runs if status(run) != Status.FINISHED]
    for run in left:
        what = "is gone" if not run.spec_file.exists() else f"is {status(run)}"
        say(f"{run.run_id} {what}; `lthtui resume {run.run_id}`, then give this command again")
    return bool(left)


def ready(folder: Path, awaited: Sequence[Found]) -> tuple[list[Expansion], bool]:
    """Wait for tickets; the runs that can begin from theirs now, and whether these are all."""
    from lthtui import layouts
    from lthtui.verbs import ask

    sources = {run: RunDirectory(folder / "runs" / run) for one in awaited for run in one.after}
    wait(folder, sources.values())
    complete, found = not unfinished(sources.values()), []
    for one in awaited:
        if any(status(sources[run]) != Status.FINISHED for run in one.after):
            continue
        document = yamlfile.parse(specfiles.write(one.spec), one.spec.name)
        try:
            expansion = specfiles.expand_document(document, one.spec.name)
            layouts.check([expansion], ask, say)
            found.append(expansion)
        except LthError as error:
            say(str(error))
            complete = False
    return found, complete


def listed(
    expansions: Iterable[Expansion], submitted: Iterable[Submitted]
) -> Iterator[tuple[RunDirectory, str]]:
    """The runs whose controls spec files list, and kinds as `lthtui control` takes them.

    Args:
        submitted: the runs of all these spec files, in their order.
    """
    following = iter(submitted)
    for expansion in expansions:
        runs = [next(following).directory for _ in expansion.runs]
        yield from ((run, ",".join(expansion.control)) for run in runs if expansion.control)


def controlled(
    folder: Path, expansions: Iterable[Expansion], submitted: Iterable[Submitted], again: bool
) -> tuple[list[Expansion], bool]:
    """The controls that spec files list, of runs that have finished; whether all can be made.

    What became of other runs, their own exit codes say.
    """
    from lthtui import controlkinds, controls, layouts
    from lthtui.verbs import ask

    complete, found = True, list[Expansion]()
    waiting = partial(patience, folder, again=again)
    for run, kinds in listed(expansions, submitted):
        if status(run) != Status.FINISHED:
            continue
        try:
            runs = controls.originals(folder, [run.run_id], "best")
            derived = controls.derive(controlkinds.kinds(kinds), runs, ask, waiting)
            layouts.check([one for _, one in derived], ask, say)
            found += [one for _, one in derived]
        except LthError as error:
            say(str(error))
            complete = False
    return found, complete


def worst(*codes: int) -> int:
    """What a command ends with that did several things."""
    return next(code for code in (INTERRUPTED, FAILED, RESUMABLE, OK) if code in codes)


def leave_runs(folder: Path, awaited: Sequence[Found], turn: Turn) -> list[Later]:
    """Leave word with the queue to make these runs once their tickets are there."""
    from lthtui.launch import later

    left = []
    for one in awaited:
        spec = one.spec
        word = later.Later(
            name=f"run-of-{spec.name}-{spec.repetition}",
            after=_after(one.after, turn),
            verb="run",
            spec=specfiles.write(spec),
            experiment=spec.experiment_name,
            **_circumstances(folder, turn),
        )
        left.append(later.leave(folder, word))
    return left


def leave_controls(
    folder: Path,
    runs: Sequence[RunDirectory],
    changes: Sequence[str],
    level: str,
    kind: str,
    turn: Turn,
) -> list[Later]:
    """Leave word with the queue to derive and run the controls of these runs."""
    from lthtui.launch import later

    left = []
    for run in runs:
        facts = identity.read(run)
        word = later.Later(
            name=f"control-of-{facts.name}-{facts.repetition}",
            after=_after((run.run_id,), turn),
            verb="control",
            words=(run.run_id, *changes),
            level=level,
            kind=kind,
            experiment=facts.experiment,
            **_circumstances(folder, turn),
        )
        left.append(later.leave(folder, word))
    return left


def leave_listed(
    folder: Path, expansions: Iterable[Expansion], submitted: Iterable[Submitted], turn: Turn
) -> list[Later]:
    """Leave word with the queue to run the controls that spec files list."""
    return [
        one
        for run, kinds in listed(expansions, submitted)
        for one in leave_controls(folder, [run], (), "best", kinds, turn)
    ]


def tell(left: Sequence[Later]) -> None:
    """Say what was left with the queue."""
    for one in left:
        say(f"{one.name} is left with the queue, after {', '.join(one.after)}")
    if left:
        say("`lthtui queue` lists what waits")


def refuse_again(again: bool, sources: Sequence[str]) -> None:
    """Refuse to leave word for what would make another run each time it is carried out.

    Raises:
        UsageError: it would.
    """
    if again and sources:
        raise UsageError(
            f"--again cannot be left with the queue; wait until {clean_line(sources[0])} has"
            " finished, or leave out --detach"
        )


def _after(sources: Sequence[str], turn: Turn) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*sources, *(run.run_id for run in turn.after)]))


def _circumstances(folder: Path, turn: Turn) -> dict[str, object]:
    """What is the same for all that a command leaves."""
    from lthtui.launch import entries

    return {
        "order": 0,
        "user": entries.person(),
        "host": entries.host(folder),
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "priority": turn.priority,
        "hold": turn.hold,
        "cwd": os.getcwd(),
    }
