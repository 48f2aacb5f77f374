"""A root that was moved or copied: MLflow keeps absolute places of artifacts, which then are wrong.

What a store takes for its own folder is written in the places of its experiments. All of it is
changed in one transaction, after a backup.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlparse

from engine import filesystems, storefile
from engine.errors import StoreError
from engine.schema import DIRECTORY, NOTE
from engine.storefile import ARTIFACTS, LOCK, STORE

PATIENCE_SECONDS = 20.0
_PLACES = (  # what MLflow keeps places of artifacts in, where it has them
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("trace_tags", "value"),
)


@dataclass(frozen=True)
class Relocated:
    """What was changed, or would be: number of rows by table.

    Attributes:
        homes: the folders that the store was in, as it believed.
        backup: the store as it was before; None for a dry run.
    """

    homes: tuple[Path, ...]
    rows: dict[str, int]
    backup: Path | None


def homes(store: sqlite3.Connection, root: Path) -> tuple[Path, ...]:
    """Other folders than `root` that a store takes for its own; none where all is well.

    A root that is reached by another path, such as a link, is the same folder. Experiments whose
    artifacts somebody placed elsewhere say nothing.

    Raises:
        sqlite3.Error: this is no MLflow store, or it is damaged.
    """
    query = "SELECT experiment_id, name, artifact_location FROM experiments"
    found = dict.fromkeys(home for row in store.execute(query).fetchall() for home in _home(*row))
    return tuple(home for home in found if not _same(home, root))


def survey(root: Path) -> Relocated | None:
    """What `relocate` would do; None where there is nothing to do.

    Raises:
        sqlite3.Error: the store is missing, damaged, or locked for long.
    """
    with contextlib.closing(storefile.reader(root / STORE)) as store:
        found = homes(store, root)
        return Relocated(found, _count(store, found), None) if found else None


def relocate(root: Path) -> Relocated | None:
    """Make a moved or copied store name its own folder, in one transaction; None if it does.

    Any number of processes may call it at once, and it may be killed at any moment.

    Raises:
        StoreError: the store is locked for long, damaged, or the disk is full.
    """
    file = root / STORE
    try:
        with filesystems.locked(root / LOCK), _writer(file) as store:
            store.execute("BEGIN IMMEDIATE")  # from here on the backup is what will be changed
            found = homes(store, root)
            if not found:
                return None
            backup = _back_up(file)
            rows = _count(store, found)
            for home in found:
                _replace(store, home, root)
            store.execute("COMMIT")
            return Relocated(found, rows, backup)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"{file}: it still names the folder that it was moved from, and that could not be"
            f" changed ({error}); `lthtui doctor --fix` tries again"
        ) from None


@contextlib.contextmanager
def _writer(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a store that exists; what was not committed is undone."""
    address = f"file:{quote(str(file))}?mode=rw"
    store = sqlite3.connect(address, uri=True, timeout=PATIENCE_SECONDS, isolation_level=None)
    with contextlib.closing(store):
        yield store


def _home(experiment: object, name: str, location: str | None) -> Iterator[Path]:
    """The root that an experiment's place belongs to, if it is one that was made here."""
    for last in (str(experiment), name):
        end = f"/{ARTIFACTS}/{quote(last)}"
        if location and location.startswith("file:///") and location.endswith(end):
            yield Path(unquote(urlparse(location.removesuffix(end)).path))


def _same(home: Path, root: Path) -> bool:
    try:
        return os.path.samefile(home, root)
    except OSError:
        return home == root.absolute()


def _count(store: sqlite3.Connection, found: tuple[Path, ...]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for table, column in _places(store):
        for home in found:
            start = _artifacts(home)
            query = f"SELECT count(*) FROM {table} WHERE substr({column}, 1, ?) = ?"
            (count,) = store.execute(query, (len(start), start)).fetchone()
            rows[table] = rows.get(table, 0) + count
    return {table: count for table, count in rows.items() if count}


def _replace(store: sqlite3.Connection, home: Path, root: Path) -> None:
    before, after = _artifacts(home), _artifacts(root.absolute())
    for table, column in _places(store):
        store.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?)"
            f" WHERE substr({column}, 1, ?) = ?",
            (after, len(before) + 1, len(before), before),
        )
    runs = [f"{place.absolute()}/runs/" for place in (home, root)]
    store.execute(
        "UPDATE tags SET value = replace(value, ?, ?) WHERE key IN (?, ?)", (*runs, DIRECTORY, NOTE)
    )


def _places(store: sqlite3.Connection) -> list[tuple[str, str]]:
    """The tables and columns with places that this version of MLflow has."""
    return [
        (table, column)
        for table, column in _PLACES
        if column in {row[1] for row in store.execute(f"PRAGMA table_info({table})")}
    ]


def _artifacts(home: Path) -> str:
    return (home / ARTIFACTS).as_uri() + "/"


def _back_up(file: Path) -> Path:
    """Copy a store, with what its log holds, beside it."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = file.with_name(f".{STORE}.{os.getpid()}.tmp")
    backup = file.with_name(f"{STORE}.{stamp}.bak")
    try:
        with (
            contextlib.closing(storefile.reader(file)) as store,
            contextlib.closing(sqlite3.connect(aside)) as copy,
        ):
            store.backup(copy)
        aside.chmod(0o600)
        filesystems.sync(aside)
        aside.rename(backup)
    finally:
        aside.unlink(missing_ok=True)
    filesystems.sync(file.parent)
    return backup
