"""What the app remembers between sessions, in `$XDG_STATE_HOME/lthtui/state.json`.

Several processes may write: each changes one value at a time under a lock, and leaves all others as
they are, also those of newer versions.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LARGEST = 10_000_000  # bytes; what is larger is none of ours


def file() -> Path:
    """Where it is, whether it exists or not."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "lthtui" / "state.json"


def get(section: str, key: str) -> Any:
    """A value as it was put last; None where there is none, or the file cannot be read."""
    found = (_read() or {}).get(section)
    return found.get(key) if isinstance(found, dict) else None


def put(section: str, key: str, value: Any, before: Mapping[str, Any] | None = None) -> None:
    """Remember a value, which JSON must know; None forgets it.

    A damaged file is kept beside as `state.json.damaged`.

    Args:
        before: what a mapping was made from; what is equal in both stays as others put it, also in
            mappings within.

    Raises:
        OSError: the file cannot be written.
    """
    from engine.rundir import write_json  # here, as the first frame does not wait for pydantic

    where = file()
    where.parent.mkdir(parents=True, exist_ok=True)
    with _locked(where):
        whole = _read()
        if whole is None:
            where.replace(where.with_name(f"{where.name}.damaged"))
            whole = {}
        values = whole.get(section)
        values = values if isinstance(values, dict) else {}
        value = value if before is None else _merged(values.get(key), before, value)
        values = {**values, key: value}
        whole[section] = {one: kept for one, kept in values.items() if kept is not None}
        write_json(where, whole)


def _merged(kept: Any, before: Any, after: Any) -> Any:
    """What is kept, with all that differs between two values as the second has it."""
    if not isinstance(before, Mapping) and not isinstance(after, Mapping):
        return after
    old, new, whole = ({**one} if isinstance(one, Mapping) else {} for one in (before, after, kept))
    for one in (*old, *new):
        if old.get(one) != new.get(one):
            whole[one] = _merged(whole.get(one), old.get(one), new.get(one))
    return {one: value for one, value in whole.items() if value is not None} or None


def _read() -> dict[str, Any] | None:
    """All that is remembered; None where the file is damaged or too large."""
    try:
        with file().open("rb") as opened:
            text = opened.read(LARGEST + 1)
        found = json.loads(text) if len(text) <= LARGEST else None
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


@contextmanager
def _locked(where: Path) -> Iterator[None]:
    with where.with_name(f".{where.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
