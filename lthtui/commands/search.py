"""The command `lthtui search`: runs the search that a spec file asks for, and shows its trials."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.errors import FAILED, INTERRUPTED, RESUMABLE, UsageError
from lthtui import overrides, settings
from lthtui.commands import Json, Root, Specs
from lthtui.commands.saying import say
from lthtui.text import clean, clean_line

if TYPE_CHECKING:
    from lthtui.searching import Found, Trial


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command()(search)


def search(
    arguments: Specs,
    write: Annotated[
        Path | None,
        typer.Option("--write", "-w", help="Write a spec with the best settings to this new file."),
    ] = None,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Run a spec's search to its end; Ctrl-C stops it, and the same command goes on."""
    names, changes = overrides.separate(arguments)
    if len(names) != 1:
        raise UsageError(f"search takes one spec; {len(names)} given")
    if write is not None and write.exists():
        raise UsageError(f"{clean_line(str(write))} exists already; it was left as it is")
    from lthtui import layouts, searching, specfiles
    from lthtui.commands.runs import display
    from lthtui.headless import Follower
    from lthtui.launch.queue import Submitted
    from lthtui.verbs import ask

    expansion, make = specfiles.trials(names[0], changes)
    layouts.check([expansion], ask, say)
    folder = settings.root(root)

    def follow(submitted: Sequence[Submitted], shown: dict[str, str]) -> Follower:
        return Follower(folder, submitted, display(submitted, shown, as_json))

    found = searching.conduct(folder, expansion, make, follow, say)
    _show(found, as_json)
    if found.best is not None and found.met and not found.code:
        _tell_best(found.best, names[0], changes)
        if write is not None:
            write.write_text(searching.spec_of(found.best))
    _end(found, write)


def _show(found: Found, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_summary(found)))
        return
    from lthtui.aligned import aligned

    goal = found.search.goal if isinstance(found.search.goal, str) else "density"
    header = ("trial", *found.search.over, f"{goal} %", "")
    for line in aligned(header, (_row(trial, found) for trial in found.trials)):
        typer.echo(clean(line))


def _row(trial: Trial, found: Found) -> Sequence[str]:
    from lthtui.report import spread

    note = clean_line(trial.error, 100)
    if trial is found.best:
        note = "◆ best" if found.met else "nearest"
    return (str(trial.number), *map(str, trial.values.values()), spread(trial.scores), note)


def _summary(found: Found) -> dict[str, Any]:
    runs = {run.run_id: run for trial in found.trials for run in trial.runs}
    return {
        "kind": "summary",
        "runs": [run.describe() for run in runs.values()],
        "trials": [
            {
                "trial": trial.number,
                "values": trial.values,
                "score": trial.score,
                "scores": trial.scores,
                "run_ids": [run.run_id for run in trial.runs],
                "error": trial.error or None,
            }
            for trial in found.trials
        ],
        "best": found.best.number if found.best and found.met else None,
        "met": found.met,
        "remark": found.remark or None,
    }


def _tell_best(trial: Trial, name: str, changes: Sequence[str]) -> None:
    """Say what to type for the best trial's runs."""
    kept = [change for change in changes if not change.startswith("search")]
    best = _written(trial)
    say(f"best: {' '.join(best)}; its runs again:")
    say(f"  lthtui run {shlex.join([name, 'search=null', *kept, *best])}")


def _written(trial: Trial) -> list[str]:
    from lthtui.yamlfile import dump_inline

    return [f"{field}={dump_inline(value)}" for field, value in trial.values.items()]


def _end(found: Found, write: Path | None) -> None:
    """Say how it ended, and exit as that asks for."""
    for line in _remarks(found, write):
        say(line)
    if found.code or not found.met:
        raise typer.Exit(found.code or FAILED)


def _remarks(found: Found, write: Path | None) -> Iterator[str]:
    failed = [str(trial.number) for trial in found.trials if trial.error]
    if found.code in (INTERRUPTED, RESUMABLE):
        yield "the search was stopped; the same command goes on from here"
    elif failed:
        which = f"trial{'s' if failed[1:] else ''} {', '.join(failed)}"
        yield f"{which} failed; to try again, `lthtui retry RUN` and then the same command"
    near = found.best
    if near is not None and near.score is not None and not found.met:
        yield f"nearest: {' '.join(_written(near))}, with a density of {near.score:.2%}"
        if write is not None:
            yield f"{clean_line(str(write))} was not written"
    if found.remark:
        yield found.remark
