"""The local MLflow store: an SQLite file under the root that is created once, whole, or not at all.

MLflow's own first use of a file breaks it for good when two processes race or one is killed: only
`ensure_store` creates it. Nothing here imports MLflow unless the store has to be created.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import sqlite3
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from engine import relocation, storefile
from engine.errors import StoreAway, StoreError
from engine.filesystems import is_local, keeps_apart, locked, sync
from engine.schema import MLFLOW_ENVIRONMENT
from engine.storefile import ARTIFACTS, BESIDE, LOCK, STORE

_TEMPORARY = ".mlflow.db.tmp"
PATIENCE_SECONDS = 20.0

# Read by MLflow when it is imported. No pool: a connection kept open would go on writing to a store
# that somebody deleted or moved away.
_ENVIRONMENT = {
    **MLFLOW_ENVIRONMENT,
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
}
_DEFAULTS = {
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


def load_mlflow() -> ModuleType:
    """Import MLflow: quiet, without telemetry, refusing pickles.

    Raises:
        StoreError: it is not installed.
    """
    os.environ.update(_ENVIRONMENT)
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        import mlflow
    except ModuleNotFoundError as error:
        raise StoreError(
            f"MLflow cannot be loaded ({error}); `pip install mlflow`, or set `tracking: off`"
        ) from None
    assert isinstance(mlflow, ModuleType)
    return mlflow


def ensure_store(root: Path) -> str:
    """Create the store under `root` unless it exists, and return its tracking address.

    Any number of processes may call it at once, and it may be killed at any moment. A store whose
    folder was moved is told its new place; a copy whose original still exists is refused, since
    what is written to it would go there.

    Raises:
        StoreError: the store cannot be created or written, is damaged, or belongs to another
            version of MLflow or another folder.
    """
    root, uri = Path(root).absolute(), storefile.uri(root)
    file = root / STORE
    try:
        if not storefile.exists(root):
            root.mkdir(parents=True, exist_ok=True)
            with locked(root / LOCK):
                if not storefile.exists(root):
                    _create(root)
        if not (os.access(file, os.W_OK) and os.access(root, os.W_OK)):
            raise StoreError(f"{file}: not writable; check its permissions and the mount")
        if storefile.is_full(root):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        if not is_local(root):
            _suit_network(root)
    except OSError as error:
        kind = StoreAway if error.errno == errno.ENOSPC else StoreError
        raise kind(_reason(file, error)) from None
    _check(root)
    return uri


def _create(root: Path) -> None:
    """Make the store aside and move it into place; the caller holds the lock."""
    for stale in root.glob(_TEMPORARY + "*"):
        stale.unlink()
    aside, file = root / _TEMPORARY, root / STORE
    _build(aside, root / ARTIFACTS)
    # A write-ahead log left behind by a deleted store would be replayed into the new one.
    for suffix in BESIDE:
        file.with_name(STORE + suffix).unlink(missing_ok=True)
    aside.rename(file)
    sync(root)


def _build(file: Path, artifacts: Path) -> None:
    """Let MLflow make a store; first we write to the file, for MLflow retries a minute in vain."""
    load_mlflow()
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    journal = "WAL" if is_local(file.parent) else "DELETE"
    try:
        with contextlib.closing(sqlite3.connect(file)) as database:
            database.execute(f"PRAGMA journal_mode = {journal}")
            store: Any = SqlAlchemyStore
            store(f"sqlite:///{file}", artifacts.as_uri()).engine.dispose()
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except Exception as error:  # MLflow, SQLAlchemy, alembic and sqlite3 each raise their own
        raise StoreError(_reason(file.with_name(STORE), error)) from None
    file.chmod(0o600)
    sync(file)


def _suit_network(root: Path) -> None:
    """Refuse a file system without locks; a store that came from a local one loses its log."""
    file = root / STORE
    if not keeps_apart(root):
        raise StoreError(
            f"{root}: this network file system does not keep two processes apart (no file locks);"
            " choose a --root on a local disk, or set `tracking: http://...` in specs"
        )
    if storefile.has_log(file):
        storefile.end_log(file, PATIENCE_SECONDS)


def _check(root: Path) -> None:
    """Refuse a store that this MLflow would refuse or damage, or that is at home elsewhere."""
    file = root / STORE
    try:
        with contextlib.closing(storefile.reader(file, PATIENCE_SECONDS)) as store:
            found = storefile.version(store)
            homes = relocation.homes(store, root)
    except sqlite3.Error as error:
        if storefile.is_damage(error):
            raise StoreError(damaged(file, error)) from None
        raise StoreAway(_reason(file, error)) from None
    if found != storefile.expected_version():
        raise StoreError(storefile.foreign(file, found))
    if homes:
        _settle_in(root, homes)


def _settle_in(root: Path, homes: tuple[Path, ...]) -> None:
    """Make `root` the store's own folder, unless it is a copy of one that still exists."""
    for home in homes:
        if home.exists():
            raise StoreError(
                f"{root / STORE} is a copy: its artifacts would go to {home}, which still exists;"
                f" `lthtui doctor --fix --root {shlex.quote(str(root))}` makes the copy stand on"
                " its own"
            )
    done = relocation.relocate(root)
    if done is not None:
        print(
            f"MLflow: {homes[0]} was moved to {root}; {sum(done.rows.values())} places of artifacts"
            f" were changed (as it was before: {done.backup})",
            file=sys.stderr,
            flush=True,
        )


def damaged(file: Path, error: Exception) -> str:
    """What to say of a store that SQLite cannot read."""
    why = str(error).splitlines()[0][:200]
    return (
        f"{file}: damaged, or no MLflow store ({why}); `lthtui doctor --fix` moves it away and"
        " rebuilds it from the run folders"
    )


def _reason(file: Path, error: Exception) -> str:
    """What went wrong with a store, in one line."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.ENOSPC or "disk is full" in str(error) or storefile.is_full(file.parent):
        return f"{file}: the disk is full; free some space, such as by `lthtui gc`"
    if "locked" in str(error):
        return f"{file}: locked by another process; `lthtui doctor` says by whom"
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{error.filename} is no folder; move it away, or choose another root"
    if isinstance(error, OSError):
        return f"{error.filename or file}: {error.strerror or text}"
    return f"{file}: the MLflow store cannot be used ({text}); `lthtui doctor` looks into it"
