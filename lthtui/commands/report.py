"""The command `lthtui report`: tables, figures and one page about runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import UsageError
from lthtui import overrides, settings
from lthtui.commands import Root, Tracking
from lthtui.commands.compare import Arguments, known_runs
from lthtui.commands.saying import say
from lthtui.counting import counted
from lthtui.runview import RunView
from lthtui.text import clean_line

MOST = 4  # names in a title


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("report")(report_on)


def report_on(
    arguments: Arguments,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Folder to write; a report is replaced."
        ),
    ],
    spread: Annotated[
        str, typer.Option(help="Beside means: std, or ci for 95 % confidence intervals.")
    ] = "std",
    root: Root = None,
    tracking_uri: Tracking = None,
) -> None:
    """Write tables, figures and one HTML page about runs, with what it takes to repeat them.

    Tables are Markdown, LaTeX and CSV, figures SVG, PDF and PNG; values.csv has all numbers, a line
    for each run, level and metric. The page needs no other file.
    """
    from lthtui import choosing
    from lthtui.colours import colours
    from lthtui.reports import folder, making
    from lthtui.reports.model import SPREADS
    from lthtui.reports.subject import Subject

    told = next((one for one in SPREADS if one == spread), None)
    if told is None:
        raise UsageError(f"--spread {clean_line(spread)}: give {' or '.join(SPREADS)}")
    folder.check(output)
    names, changes = overrides.separate(arguments)
    root = settings.use(root)
    known, trouble = known_runs(root, tracking_uri)
    chosen = choosing.choose(root, known, names, changes)
    runs = tuple(chosen.runs.values())
    subject = Subject(
        title=_title([Path(name).stem for name in names]),
        words=tuple(arguments),
        runs=runs,
        known=tuple(known),
        labels=choosing.labelled(runs),
        colours=colours(run.group for run in sorted(runs, key=_controls)),
        spread=told,
        given=choosing.given(runs),
    )
    beside = (*(("--spread", told) if told != "std" else ()), *_store(tracking_uri))
    notes = (*([trouble] if trouble else []), *chosen.notes, *_stored(runs))
    made = making.make(subject, subject.again(*beside, "-o", str(output)), notes)
    for note in made.notes:
        say(note)
    folder.write(made, output)
    typer.echo(output / folder.PAGE)


def _store(address: str | None) -> tuple[str, ...]:
    """The option that names the store; addresses with passwords were refused."""
    return ("--tracking-uri", address) if address else ()


def _stored(runs: Sequence[RunView]) -> Iterator[str]:
    """That evaluations are read from folders."""
    away = sum(not run.directory for run in runs)
    if away:
        yield f"what was evaluated of {counted(away, 'run')} is left out: no folder is here"


def _title(names: Sequence[str]) -> str:
    """What is on the page's first line."""
    more = [f"{len(names) - MOST} more"] if len(names) > MOST else []
    return ", ".join([*names[:MOST], *more])


def _controls(run: RunView) -> bool:
    """Whether it is a control: these get what colours are left."""
    return run.controls is not None
