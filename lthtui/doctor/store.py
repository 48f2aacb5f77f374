"""The MLflow store: whole, of our version, at home here, and not held by anybody for long."""

from __future__ import annotations

import contextlib
import os
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from engine import filesystems, relocation, storefile
from engine.launchspec import show_size
from engine.storefile import STORE
from lthtui import holding
from lthtui.doctor.findings import Case, Finding, Severity
from lthtui.doctor.rebuilding import rebuild

LOCKED = 0.5  # seconds after which a writer's lock counts as held for long
LONG = 64 * 2**20  # bytes of a write-ahead log that should have been merged long ago


def check(case: Case) -> Iterator[Finding]:
    """Look at the store of a root, if there is one."""
    file = case.root / STORE
    if not storefile.exists(case.root):
        yield Finding("store", Severity.FINE, f"no MLflow store in {case.root} yet")
        return
    try:
        found = _readable(file)
    except sqlite3.Error as error:
        yield _unreadable(case, error)
        return
    if found != storefile.expected_version():
        yield _foreign(file, found)
    else:
        size = show_size(file.stat().st_size)
        log = "with" if storefile.has_log(file) else "without"
        message = f"{file}: whole, {size}, schema {found}, {log} a write-ahead log"
        yield Finding("store", Severity.FINE, message)
    yield from _home(case)
    yield from _log(case)
    yield from _writable(case)


def _readable(file: Path) -> str:
    """Read all of a store; its schema version.

    Raises:
        sqlite3.Error: it is damaged, locked, or no MLflow store.
    """
    with contextlib.closing(storefile.reader(file, LOCKED)) as store:
        found = storefile.version(store)
        (problem,) = store.execute("PRAGMA quick_check(1)").fetchone()
    if problem != "ok":
        raise sqlite3.DatabaseError(f"malformed: {problem.splitlines()[-1]}")
    return found


def _unreadable(case: Case, error: sqlite3.Error) -> Finding:
    file = case.root / STORE
    if "locked" in str(error):
        return Finding("store", Severity.WARNING, holding.locked(file), "lthtui doctor")
    if not os.access(file, os.R_OK):
        remedy = f"ls -l {shlex.quote(str(file))}"
        return Finding("store", Severity.ERROR, f"{file} can't be read: {error}", remedy)
    if not storefile.is_damage(error):
        message = f"{file} can't be opened ({error}), as on a full disk"
        return Finding("store", Severity.ERROR, message, "lthtui gc --dry-run")
    message = f"{file} is damaged ({error}); it would be moved aside and rebuilt from the runs"
    return Finding("store", Severity.ERROR, message, _fix(case), lambda: rebuild(case))


def _foreign(file: Path, found: str) -> Finding:
    """A store that another MLflow wrote: what to do is the last thing that the message quotes."""
    why = storefile.foreign(file, found)
    return Finding("store", Severity.ERROR, why, why.split("`")[1])


def _home(case: Case) -> Iterator[Finding]:
    """Whether artifacts would go where they belong."""
    found = relocation.survey(case.root)
    if found is not None:
        rows = ", ".join(f"{count} in {table}" for table, count in found.rows.items())
        message = (
            f"the store takes {found.homes[0]} for its folder: this root was moved or copied from"
            f" there, and places of artifacts are wrong ({rows})"
        )
        yield Finding("store", Severity.ERROR, message, _fix(case), lambda: _relocate(case.root))


def _relocate(root: Path) -> str:
    done = relocation.relocate(root)
    if done is None:
        return "the store knows its folder by now"
    rows = sum(done.rows.values())
    return f"changed {rows} places of artifacts to {root}; as it was before: {done.backup}"


def _log(case: Case) -> Iterator[Finding]:
    file = case.root / STORE
    log = file.with_name(f"{STORE}-wal")
    if storefile.has_log(file) and not filesystems.is_local(case.root):
        message = f"{file} has a write-ahead log, which is unsafe on a network file system"
        yield Finding("store", Severity.ERROR, message, _fix(case), lambda: _end(file))
    elif log.exists() and log.stat().st_size > LONG:
        message = f"{log} has grown to {show_size(log.stat().st_size)}"
        yield Finding("store", Severity.WARNING, message, _fix(case), lambda: _merge(file))


def _end(file: Path) -> str:
    storefile.end_log(file, LOCKED)
    return "ended the store's write-ahead log"


def _merge(file: Path) -> str:
    storefile.merge_log(file, LOCKED)
    return "merged the store's write-ahead log into it"


def _writable(case: Case) -> Iterator[Finding]:
    """Take the writer's lock for a moment, and write nothing."""
    file = case.root / STORE
    if not (os.access(file, os.W_OK) and os.access(case.root, os.W_OK)):
        remedy = f"findmnt -T {shlex.quote(str(case.root))}"
        yield Finding("store", Severity.ERROR, f"{file} is read-only", remedy)
        return
    address = f"file:{quote(str(file))}?mode=rw"
    try:
        connect = sqlite3.connect(address, uri=True, timeout=LOCKED, isolation_level=None)
        with contextlib.closing(connect) as store:
            store.execute("BEGIN IMMEDIATE")
            store.execute("ROLLBACK")
    except sqlite3.Error as error:
        if "locked" in str(error):
            message = f"{holding.locked(file)}; runs wait with what they log"
            yield Finding("store", Severity.WARNING, message, "lthtui doctor")
        else:
            yield Finding("store", Severity.ERROR, f"{file}: {error}", "lthtui gc --dry-run")


def _fix(case: Case) -> str:
    return f"lthtui doctor --fix --root {shlex.quote(str(case.root))}"
