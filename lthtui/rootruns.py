"""All runs of a root as commands show them: those with a folder, and those only in its store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import StoreError, UsageError
from engine.rundir import RunDirectory
from lthtui import browsed, identity, runnames
from lthtui.notebook import Book
from lthtui.runview import RunView
from lthtui.store import Store

if TYPE_CHECKING:
    from lthtui.identity import Identity


@dataclass(eq=False)
class Known:
    """A run that can be read.

    Attributes:
        facts: the JSON object that it is.
        view: makes what filters and columns ask.
        created: when it was made (seconds since 1970).
        identities: what it was made as, and all else that it stands for; nothing without a folder.
    """

    facts: dict[str, Any]
    view: Callable[[], RunView]
    created: float
    identities: tuple[Identity, ...] = ()


def known(
    root: Path, book: Book, curves: bool, metrics: Collection[str], say: Callable[[str], object]
) -> list[Known]:
    """All runs that can be read, the oldest first; what cannot is said.

    Args:
        curves: whether epochs are asked for.
        metrics: those of which the extremes are asked for.
    """
    found = [*_folders(root, book, curves, say)]
    try:
        stored = stored_only(root, metrics)
    except StoreError as error:
        say(f"only runs with a folder: {error}")
        return found
    found += [Known(browsed.describe(run), partial(_itself, run), run.created) for run in stored]
    return sorted(found, key=lambda run: run.created)


def stored_only(root: Path, metrics: Collection[str] = ()) -> list[RunView]:
    """The runs that only the root's own store knows, as the app shows them.

    Args:
        metrics: those of which the extremes are asked for.

    Raises:
        StoreError: it cannot be read.
    """
    own = {*runnames.ids(root), *runnames.trashed(root)}
    with closing(Store(root)) as store:
        ids = store.ids()
        if ids is not None and len(ids) == len(store.tags().keys() & own):
            return []  # which takes a fraction of the time, and is so in most roots
    return [run for key, run in browsed.read(store.uri, metrics).items() if key not in own]


def meant(root: Path, word: str) -> RunDirectory | RunView:
    """The one run that a word means: with a folder, or else one that only the store knows.

    Raises:
        UsageError: it means none, or several.
    """
    try:
        return runnames.find(root, [word])[0]
    except UsageError:
        try:
            return browsed.find({run.run_id: run for run in stored_only(root)}, word)
        except (StoreError, UsageError):
            pass
        raise


def _folders(root: Path, book: Book, curves: bool, say: Callable[[str], object]) -> Iterator[Known]:
    from lthtui import runview
    from lthtui.monitor import Watched

    for directory in runnames.every(root):
        watched = Watched(directory, curves=curves)
        try:
            notes = book.of(directory.path, watched.identity.asked)
            watched.refresh()
            yield Known(
                watched.describe(notes),
                partial(runview.view, watched, notes=notes),
                directory.spec_file.stat().st_mtime,
                (watched.identity, *identity.others(directory)),
            )
        except (OSError, ValueError) as error:
            say(f"{directory.run_id}: its spec can't be read: {error}")


def _itself(run: RunView) -> RunView:
    return run
