"""Commands about what people note of runs: note, tag, rename, archive."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine import schema
from engine.errors import UsageError
from engine.rundir import RunDirectory
from lthtui import completion, overrides, people, runnames, settings
from lthtui.commands import Root
from lthtui.commands.meant import Experiment, Runs, User, meant
from lthtui.commands.saying import say, tell_mlflow
from lthtui.text import clean, clean_line

if TYPE_CHECKING:
    from lthtui.notes import Subject
    from lthtui.records import RunSummary

NAMED = "Any unique part of a run's id, NAME-s0, @last, or a NAME, for all its seeds"
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        autocompletion=completion.runs,
        help="Any unique part of a run's id, NAME-s0, @last, or MLflow's id.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    for command in (note, tag, rename, archive):
        app.command()(command)


def note(
    run: Run,
    text: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]...", help="Markdown; `-` reads it from standard input."),
    ] = None,
    append: Annotated[
        bool, typer.Option("--append", "-a", help="Add a paragraph to the note there is.")
    ] = False,
    root: Root = None,
) -> None:
    """Note something of a run, which MLflow shows as its description.

    Without TEXT an editor ($VISUAL or $EDITOR) opens on the note; away from a terminal, the note is
    written to standard output.
    """
    from lthtui import editing, notes
    from lthtui.verbs import ask

    folder = settings.root(root)
    subject = _one(folder, run)
    said = sys.stdin.read() if text == ["-"] else " ".join(text or ())
    if append and said.strip():
        notes.append(folder, subject, said, ask)
        _tell([subject], "noted")
        return
    before = notes.fetch(subject, ask).note
    if text:
        after = before if append else said
    elif sys.stdin.isatty() and sys.stdout.isatty():
        after = editing.edited(before, "note.md")
    else:
        typer.echo(clean(before, notes.VALUE), nl=bool(before))
        return
    after = after.rstrip()
    if after == before.rstrip():
        say("the note is as it was")
        return
    if text:
        notes.change(folder, [subject], {schema.NOTE: notes.checked(after, "the note") or None})
    else:
        notes.revise(folder, subject, before, after, ask)
    _tell([subject], "noted" if after else "has no note any more")


def tag(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="[RUN]... [KEY=VALUE]...",
            autocompletion=completion.runs,
            help=f"{NAMED}; and tags to set.",
        ),
    ],
    remove: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Remove a tag; may be repeated.")
    ] = None,
    experiment: Experiment = None,
    user: User = None,
    root: Root = None,
) -> None:
    """Tag runs, or show their tags; they are those of MLflow's own pages."""
    from lthtui import notes
    from lthtui.verbs import ask

    words, pairs = overrides.separate(arguments)
    changes = notes.tags_of(pairs, remove or ())
    folder = settings.root(root)
    subjects = chosen(folder, words, experiment, user)
    if changes:
        _change(folder, subjects, changes, "tagged" if pairs else "untagged")
        return
    for one in subjects:
        for key, value in notes.fetch(one, ask).tags.items():
            typer.echo(clean_line(f"{notes.id_of(one)}  {key}={value}", notes.VALUE))


def rename(
    run: Run,
    name: Annotated[str, typer.Argument(help="What lists show; '' for the run's own name again.")],
    root: Root = None,
) -> None:
    """Give a run a name to show; its id stays, and still names it in commands."""
    from lthtui import notes

    folder = settings.root(root)
    subject = _one(folder, run)
    changes = notes.name_of(name, [subject])
    shown = changes[schema.NAME]
    what = f"is shown as {shown}" if shown else "has its own name again"
    _change(folder, [subject], changes, what)


def archive(
    names: Runs = None,
    undo: Annotated[bool, typer.Option("--undo", help="Have lists show them again.")] = False,
    experiment: Experiment = None,
    user: User = None,
    root: Root = None,
) -> None:
    """Have lists and the app leave runs out; `lthtui list --archived` shows them."""
    folder = settings.root(root)
    subjects = chosen(folder, names or (), experiment, user)
    value = None if undo else "true"
    _change(folder, subjects, {schema.ARCHIVED: value}, "is listed again" if undo else "archived")


def chosen(
    root: Path, names: Sequence[str], experiment: str | None, user: str | None
) -> list[Subject]:
    """The runs that a command names, with or without a folder, or a person's of an experiment.

    Raises:
        UsageError: none are named, or in two ways at once, or they are not there.
    """
    from lthtui import notes

    if names and experiment is None and user is None:
        return notes.find(root, names, runnames.seeds)
    stored = notes.stored_of(root, experiment) if experiment and not names else []
    try:
        folders = chosen_folders(root, names, experiment, user)
    except UsageError:
        if not stored:
            raise
        folders = []
    return [*folders, *_own(stored, user)]


def _own(stored: Sequence[RunSummary], user: str | None) -> list[RunSummary]:
    """A person's of runs without a folder; says what others have, unless that was asked for."""
    owners = [one.tags.get(schema.USER, "") for one in stored]
    taken = [people.meant(owner, user) for owner in owners]
    theirs = [owner for owner, mine in zip(owners, taken, strict=True) if not mine]
    if user is None and (told := people.left_alone(theirs, "stored run")):
        say(told)
    return [one for one, mine in zip(stored, taken, strict=True) if mine]


def chosen_folders(
    root: Path, names: Sequence[str], experiment: str | None, user: str | None
) -> list[RunDirectory]:
    """As `chosen`, but of runs with a folder only."""
    if bool(names) == (experiment is not None):
        raise UsageError("name runs, or give --experiment NAME")
    return meant(root, names, experiment, False, user).runs(lambda run: True)


def _one(root: Path, name: str) -> Subject:
    """The one run that is meant."""
    from lthtui import notes

    def alone(root: Path, word: str) -> list[RunDirectory]:
        return runnames.find(root, [word])

    return notes.find(root, [name], alone)[0]


def _change(
    root: Path, subjects: Sequence[Subject], tags: Mapping[str, str | None], what: str
) -> None:
    """Change tags, say so of each run, and say what MLflow has to be told later."""
    from lthtui import notes

    notes.change(root, subjects, tags)
    _tell(subjects, what)


def _tell(subjects: Sequence[Subject], what: str) -> None:
    from lthtui import notes

    for subject in subjects:
        typer.echo(clean_line(f"{notes.id_of(subject)} {what}", 1000))
    for why in notes.tell(subjects, tell_mlflow).values():
        say(f"kept here; MLflow is told later: {why}")
