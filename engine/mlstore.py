"""The local MLflow store: an SQLite file under the root that is created once, whole, or not at all.

MLflow's own first use of a file breaks it for good when two processes race or one is killed: only
`ensure_store` creates it. Nothing here imports MLflow unless the store has to be created.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib.util
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

from engine.errors import StoreError
from engine.filesystems import is_local
from engine.schema import MLFLOW_ENVIRONMENT

STORE, ARTIFACTS = "mlflow.db", "artifacts"
_LOCK, _TEMPORARY = ".mlflow.lock", ".mlflow.db.tmp"
_BESIDE = ("-wal", "-shm", "-journal")

# Read by MLflow when it is imported. No pool: a connection kept open would go on writing to a store
# that somebody deleted or moved away.
_ENVIRONMENT = {
    **MLFLOW_ENVIRONMENT,
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
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


def store_uri(root: Path) -> str:
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


def ensure_store(root: Path) -> str:
    """Create the store under `root` unless it exists, and return its tracking address.

    Any number of processes may call it at once, and it may be killed at any moment.

    Raises:
        StoreError: the store cannot be created or written, is damaged, or belongs to another
            version of MLflow.
    """
    root, uri = Path(root).absolute(), store_uri(root)
    file = root / STORE
    try:
        if not _there(file):
            root.mkdir(parents=True, exist_ok=True)
            with locked(root / _LOCK):
                if not _there(file):
                    _create(root)
        if not (os.access(file, os.W_OK) and os.access(root, os.W_OK)):
            raise StoreError(f"{file}: not writable; check its permissions and the mount")
    except OSError as error:
        raise StoreError(_reason(file, error)) from None
    _check(file, uri)
    return uri


@contextlib.contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Hold an exclusive lock on a file, which goes when the process does.

    Raises:
        BlockingIOError: somebody else holds it and `wait` is false.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


def expected_version() -> str:
    """The schema version that the installed MLflow insists on, read without importing it."""
    package = importlib.util.find_spec("mlflow")
    folders = (package.submodule_search_locations if package else None) or []
    known, followed = set(), set()
    for folder in folders:
        for script in (Path(folder) / "store" / "db_migrations" / "versions").glob("*.py"):
            found = dict(_REVISION.findall(script.read_text()))
            known.add(found.get("revision"))
            followed.add(found.get("down_revision"))
    heads = known - followed - {None}
    if len(heads) != 1:
        raise StoreError("MLflow's migrations cannot be found; `pip install mlflow`")
    return str(heads.pop())


_REVISION = re.compile(r'^((?:down_)?revision)\s*(?::[^=]*)?=\s*["\'](\w+)["\']', re.MULTILINE)


def _there(file: Path) -> bool:
    """Whether there is a store. SQLite leaves empty files where it only looked for one."""
    return file.exists() and file.stat().st_size > 0


def _create(root: Path) -> None:
    """Make the store aside and move it into place; the caller holds the lock."""
    for stale in root.glob(_TEMPORARY + "*"):
        stale.unlink()
    aside, file = root / _TEMPORARY, root / STORE
    _build(aside, root / ARTIFACTS)
    # A write-ahead log left behind by a deleted store would be replayed into the new one.
    for suffix in _BESIDE:
        file.with_name(STORE + suffix).unlink(missing_ok=True)
    aside.rename(file)
    _flush(root)


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
    _flush(file)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check(file: Path, uri: str) -> None:
    """Refuse a store that this MLflow would refuse or damage."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=1.0)
        ) as database:
            found = [row[0] for row in database.execute("SELECT version_num FROM alembic_version")]
    except sqlite3.Error as error:
        if "locked" in str(error):
            return
        raise StoreError(
            f"{file}: damaged, or no MLflow store ({error}); move it away, then `lthtui sync`"
            " rebuilds it from the run folders"
        ) from None
    expected = expected_version()
    if found != [expected]:
        version = ", ".join(map(str, found)) or "none"
        raise StoreError(
            f"{file}: written by another MLflow (schema {version}, this one needs {expected});"
            f" back the file up, then `mlflow db upgrade {uri}`"
        )


def _reason(file: Path, error: Exception) -> str:
    """What went wrong with a store, in one line."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.ENOSPC or "disk is full" in str(error):
        return f"{file}: the disk is full; free some space"
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{error.filename} is no folder; move it away, or choose another root"
    if isinstance(error, OSError):
        return f"{error.filename or file}: {error.strerror or text}"
    return f"{file}: the MLflow store could not be created ({text})"
