"""The local MLflow store as a file: where it is, how it is opened, whose version it has.

Nothing here imports MLflow.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import sqlite3
from pathlib import Path
from urllib.parse import quote

from engine import filesystems
from engine.errors import StoreAway, StoreError

STORE, ARTIFACTS, LOCK = "mlflow.db", "artifacts", ".mlflow.lock"
BESIDE = ("-wal", "-shm", "-journal")
_REVISION = re.compile(r'^((?:down_)?revision)\s*(?::[^=]*)?=\s*["\'](\w+)["\']', re.MULTILINE)
PATIENCE = 5.0  # seconds that somebody else's lock is waited for
SHARED_BYTES = 32_768  # of the shared memory beside a store with a write-ahead log
_WRITE_AHEAD = 2  # the value of bytes 18 and 19 of a file with such a log


def exists(root: Path) -> bool:
    """Whether there is a store. SQLite leaves empty files where it only looked for one."""
    file = root / STORE
    return file.exists() and file.stat().st_size > 0


def uri(root: Path) -> str:
    """The tracking address of the store under `root`.

    Raises:
        StoreError: SQLite addresses cannot name this folder.
    """
    file = Path(root).absolute() / STORE
    if "?" in str(file) or "%" in str(file):
        raise StoreError(
            f"{file.parent}: MLflow cannot use a path with '?' or '%'; rename a folder"
        )
    return f"sqlite:///{file}"


def has_log(file: Path) -> bool:
    """Whether a store writes ahead into a log; False where there is no store."""
    try:
        with file.open("rb") as store:
            return store.read(20)[18:] == bytes([_WRITE_AHEAD] * 2)
    except OSError:
        return False


def end_log(file: Path, patience: float) -> None:
    """Have a store write in place instead of ahead.

    Raises:
        StoreAway: somebody has it open.
    """
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=patience)) as store:
            store.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise StoreAway(
            f"{file}: its write-ahead log is unsafe on this network file system, and could not"
            f" be ended ({error}); close what has it open, then `lthtui doctor --fix`"
        ) from None


def merge_log(file: Path, patience: float = 0.0) -> None:
    """Merge a write-ahead log into its store, which frees what the log takes of the disk.

    Raises:
        StoreAway: somebody uses it, or the disk is full.
    """
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=patience)) as store:
            (busy, *_) = store.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise StoreAway(f"{file}: its log could not be merged: {error}") from None
    if busy:
        raise StoreAway(f"{file}: its log is in use; try again later")


def reader(file: Path, patience: float = PATIENCE) -> sqlite3.Connection:
    """A connection that only reads, for any thread; the caller closes it.

    Where nothing can be written, as on a full disk, the shared memory of a write-ahead log can't be
    made either: the file is then read as it is, unless somebody else has it open.

    Args:
        patience: seconds to wait for somebody else's lock.

    Raises:
        sqlite3.Error: it can't be opened.
    """
    as_it_is = "" if _shared(file) or _can_share(file.parent) else "&immutable=1"
    return sqlite3.connect(
        f"file:{quote(str(file))}?mode=ro{as_it_is}",
        uri=True,
        timeout=patience,
        isolation_level=None,
        check_same_thread=False,
    )


def _shared(file: Path) -> bool:
    """Whether there is the memory that processes share over a store."""
    try:
        return file.with_name(f"{file.name}-shm").stat().st_size >= SHARED_BYTES
    except OSError:
        return False


def _can_share(folder: Path) -> bool:
    return os.access(folder, os.W_OK) and not is_full(folder)


def is_full(folder: Path) -> bool:
    """Whether a disk has no room even to open a store as usual."""
    try:
        return filesystems.of(folder).free < SHARED_BYTES
    except OSError:
        return False


def is_damage(error: Exception) -> bool:
    """Whether SQLite, or whoever passes on what it said, found a store to be broken, or none.

    All else may pass: a file is whole that is locked, or for which a full disk has no room to work.
    """
    return any(sign in str(error) for sign in ("malformed", "not a database", "no such table"))


def version(store: sqlite3.Connection) -> str:
    """MLflow's version of the tables; empty if there is none.

    Raises:
        sqlite3.Error: this is no MLflow store, or it is damaged.
    """
    found = store.execute("SELECT version_num FROM alembic_version").fetchall()
    return ", ".join(str(row[0]) for row in found)


def expected_version() -> str:
    """The schema version that the installed MLflow insists on, read without importing it.

    Raises:
        StoreError: MLflow is not installed.
    """
    known, followed = _history()
    heads = known - followed
    if len(heads) != 1:
        raise StoreError("MLflow's migrations cannot be found; `pip install mlflow`")
    return heads.pop()


def foreign(file: Path, found: str) -> str:
    """What to say of a store with the tables of another version of MLflow, `found`."""
    expected = expected_version()
    if found and found not in _history()[0]:
        return (
            f"{file}: written by a newer MLflow (schema {found}, this one needs {expected});"
            " `pip install --upgrade mlflow` to the version that wrote it"
        )
    return (
        f"{file}: written by another MLflow (schema {found or 'none'}, this one needs {expected});"
        f" back the file up, then `mlflow db upgrade sqlite:///{file}`"
    )


def _history() -> tuple[set[str], set[str]]:
    """The versions that the installed MLflow knows, and those that another one follows."""
    package = importlib.util.find_spec("mlflow")
    folders = (package.submodule_search_locations if package else None) or []
    known, followed = set(), set()
    for folder in folders:
        for script in (Path(folder) / "store" / "db_migrations" / "versions").glob("*.py"):
            found = dict(_REVISION.findall(script.read_text()))
            known.add(found.get("revision", ""))
            followed.add(found.get("down_revision", ""))
    return known - {""}, followed
