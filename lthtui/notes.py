"""What people noted of runs: a note, a name to show, tags, archived; read and changed.

In MLflow all of these are tags, which people edit there as well. `engine.noted` says which counts.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from engine import link, noted, schema
from engine.errors import LthError, StoreError, UsageError
from engine.rundir import RunDirectory, Status, status
from lthtui import editing, runnames
from lthtui.notebook import PROGRAMS, Book, Notes
from lthtui.records import RunSummary
from lthtui.store import Store
from lthtui.text import clean_line

KEY, VALUE = 250, 8000  # characters that MLflow takes; it cuts longer values without a word
Ask = Callable[[Sequence[str]], dict[str, Any]]
Subject = RunDirectory | RunSummary  # a run with a folder, or one that only the store knows


class Meanwhile(UsageError):
    """Somebody else changed a note while it was written."""


def read(run: RunDirectory) -> Notes:
    """What people noted of one run, as of now."""
    book = Book(run.root)
    book.refresh()
    try:
        return book.of(run.path)
    finally:
        book.close()


def fetch(subject: Subject, ask: Ask) -> Notes:
    """What people noted of one run; that of a server is asked, unless it is out of reach."""
    if isinstance(subject, RunSummary):
        return Notes.of(subject.tags)
    linked = link.read(subject)
    if linked is None or linked.tracking_uri.startswith("sqlite:"):
        return read(subject)
    told = ask(["note", str(subject.path)])["runs"].get(subject.run_id, {})
    tags = told.get("tags")
    return Notes.of(tags, subject.run_id) if tags is not None else read(subject)


def change(
    root: Path,
    subjects: Sequence[Subject],
    tags: Mapping[str, str | None],
    store: str | None = None,
    still: Callable[[], bool] = lambda: True,
) -> None:
    """Set tags of runs by their names in MLflow, or remove those that are None.

    What is changed of a run with a folder is only kept there; see `tell`.

    Args:
        store: where runs without a folder are, if not in the root's own; see `tracking`.
        still: asked while nobody else can change a folder; if not so, nothing is changed.

    Raises:
        Meanwhile: `still` said no.
        UsageError: the root belongs to somebody else, or a folder went into the trash meanwhile.
        Foreign: a run's file of notes is damaged.
        StoreError: a run that only the store knows cannot be changed there.
        OSError: a file can't be written.
    """
    from lthtui.launch import entries, owner  # here, as the app's first table only reads

    owner.check(root)
    own, user = dict(tags), entries.person()
    with entries.locked(root):
        if not still():
            raise Meanwhile("somebody else changed the note meanwhile")
        folders = [run for run in subjects if isinstance(run, RunDirectory)]
        _check(folders)
        for run in folders:
            if schema.NAME in tags and tags[schema.NAME] is None:  # MLflow's have some name
                own[schema.NAME] = schema.display_name(run.run_id)
            noted.change(run, own, user)
    stored = [one.mlflow_run_id for one in subjects if isinstance(one, RunSummary)]
    if stored:
        with closing(Store(store or root)) as opened:
            for mlflow_run_id in stored:
                opened.set_tags(mlflow_run_id, tags)


def revise(
    root: Path, subject: Subject, before: str, after: str, ask: Ask, store: str | None = None
) -> None:
    """Replace a note that was `before` when somebody began to edit it, without space at its end.

    Raises:
        UsageError: it is another by now, or the new one cannot be written; that is kept in a file
            which the message names.
    """
    after = after.rstrip()
    with _kept(subject, after):
        last = _last(subject)
        if fetch(subject, ask).note.rstrip() != before.rstrip():
            raise Meanwhile("somebody else changed the note meanwhile")
        _write(root, subject, after, last, store)


def append(root: Path, subject: Subject, text: str, ask: Ask, store: str | None = None) -> None:
    """Add a paragraph to the note that there is, after those that others add meanwhile.

    Raises:
        UsageError: it cannot be written; it is kept in a file which the message names.
    """
    text, written = text.rstrip(), False
    with _kept(subject, text):
        while not written:
            last, now = _last(subject), fetch(subject, ask).note
            with suppress(Meanwhile):
                _write(root, subject, f"{now}\n\n{text}" if now else text, last, store)
                written = True


def id_of(subject: Subject) -> str:
    """What a run is called by here: our own id, or MLflow's."""
    return subject.run_id or getattr(subject, "mlflow_run_id", "")


def tell(subjects: Sequence[Subject], ask: Ask) -> dict[str, str]:
    """Tell MLflow what was changed of runs with a folder; by run id, why that has to wait.

    The worker of a run that is running tells MLflow by itself, as does whatever brings over a run
    that MLflow does not have yet.
    """
    runs = [one for one in subjects if isinstance(one, RunDirectory) and _untold(one)]
    there = [run for run in runs if status(run) != Status.RUNNING]
    if not there:
        return {}
    report = ask(["note", *(str(run.path) for run in there)])
    why = {str(run): clean_line(str(said), 1000) for run, said in report["failed"].items()}
    for run, done in report["runs"].items():
        if done["tags"] is None:
            why[run] = f"it does not have the run; `lthtui sync {clean_line(run)}`"
    return why


def name_of(text: str, subjects: Iterable[Subject]) -> dict[str, str | None]:
    """Read a name to show; empty for each run's own name.

    Raises:
        UsageError: MLflow would not take it, or a run has no name of its own.
    """
    name = checked(" ".join(text.split()), "the name", KEY)
    for one in () if name else subjects:
        if not isinstance(one, RunDirectory):
            what = clean_line(id_of(one))
            raise UsageError(f"{what} has no folder, and so no name of its own; give it one")
    return {schema.NAME: name or None}


def tags_of(changes: Iterable[str], remove: Iterable[str] = ()) -> dict[str, str | None]:
    """Read `key=value` of people's own tags, and which to remove.

    Raises:
        UsageError: a tag is a program's, or none that MLflow takes.
    """
    found: dict[str, str | None] = {}
    for text in changes:
        key, _, value = text.partition("=")
        found[_checked(key)] = checked(value, f"tag {clean_line(key)}")
    return {**found, **{_checked(key): None for key in remove}}


def checked(text: str, what: str, limit: int = VALUE) -> str:
    """A note or value, if MLflow takes it whole.

    Raises:
        UsageError: it is too long, or no text.
    """
    if len(text) > limit:
        raise UsageError(f"{what}: {len(text):,} characters; MLflow takes {limit:,} at most")
    if "\0" in text or any("\ud800" <= one <= "\udfff" for one in text):
        raise UsageError(f"{what}: it holds bytes that are no text; write it in UTF-8")
    return text


def find(
    root: Path, words: Iterable[str], means: Callable[[Path, str], Sequence[RunDirectory]]
) -> list[Subject]:
    """The runs that are meant, each once.

    Args:
        means: finds the runs with a folder that a word means; others are found by their name in
            MLflow, or the first digits of their id there.

    Raises:
        UsageError: a word means none.
    """
    found: dict[str, Subject] = {}
    for word in words:
        try:
            found.update((run.run_id, run) for run in means(root, word))
        except UsageError:
            stored = _stored(root, word)
            if stored is None:
                raise
            found[stored.mlflow_run_id] = stored
    return [*found.values()]


def stored_of(root: Path, experiment: str) -> list[RunSummary]:
    """The runs of an experiment that only the root's store knows."""
    return [run for run in _strays(root) if run.experiment == experiment]


def _strays(root: Path) -> list[RunSummary]:
    """All runs that only the root's store knows; none where it cannot be read."""
    known = {*runnames.ids(root), *runnames.trashed(root)}
    with closing(Store(root)) as store, suppress(StoreError):
        return [one for one in store.runs() if one.run_id not in known]
    return []


def _check(runs: Iterable[RunDirectory]) -> None:
    """Refuse runs whose folders are gone, before any other is changed."""
    for run in runs:
        if not run.path.is_dir():
            name = clean_line(run.run_id)
            raise UsageError(f"{name} is gone; `lthtui trash --restore {name}` may bring it back")


def _last(subject: Subject) -> noted.Change | None:
    """The last change of a note that was made here; None where only the store has it."""
    if isinstance(subject, RunSummary):
        return None
    return noted.read(subject).changes.get(schema.NOTE)


def _write(
    root: Path, subject: Subject, note: str, last: noted.Change | None, store: str | None
) -> None:
    """Set a note, unless somebody changed it here after the change that is the last known."""
    tags = {schema.NOTE: checked(note, "the note") or None}
    change(root, [subject], tags, store, still=lambda: _last(subject) == last)


@contextmanager
def _kept(subject: Subject, text: str) -> Iterator[None]:
    """Keep in a file what cannot be written."""
    name = id_of(subject)
    try:
        yield
    except (LthError, OSError) as error:
        where = editing.kept(text.encode(errors="replace"), f"note-{name}.md")
        raise UsageError(f"{clean_line(name)}: {error}; {where}") from None


def _untold(run: RunDirectory) -> bool:
    """Whether MLflow has a run, but does not know all that was changed of it."""
    linked = link.read(run)
    return linked is not None and noted.read(run).newest > linked.noted


def _stored(root: Path, word: str) -> RunSummary | None:
    """The run without a folder that is meant by its name, or by the first digits of its id."""
    runs = _strays(root)
    by_id = re.fullmatch(r"[0-9a-f]{6,32}", word) is not None
    meant = [
        one for one in runs if one.name == word or (by_id and one.mlflow_run_id.startswith(word))
    ]
    return meant[0] if len(meant) == 1 else None


def _checked(key: str) -> str:
    shown = clean_line(key)
    if key.startswith(PROGRAMS):
        raise UsageError(
            f"tag {shown}: names that begin with {' or '.join(PROGRAMS)} are written by programs;"
            " `lthtui note`, `rename` and `archive` change those that are yours"
        )
    plain = re.fullmatch(r"[\w.:/ -]+", key) and posixpath.normpath("/" + key)[1:] == key
    if not plain or key != key.strip() or len(key) > KEY:
        raise UsageError(
            f"tag '{shown}': MLflow takes letters, digits and `_ . : / -` within a name, {KEY}"
            " characters at most; write key=value"
        )
    return key
