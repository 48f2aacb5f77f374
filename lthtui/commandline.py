"""The command that runs a spec file as it was changed without saving it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from lthtui import yamlfile
from lthtui.specfields import settings_at
from lthtui.yamlfile import Keys


def command(path: str, saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    """`lthtui run` with the overrides that make what is wanted of what is saved.

    Returns None where no overrides say that: something was taken out.
    """
    try:
        changes = [*_changes(saved, wanted, ())]
    except _Unsayable:
        return None
    return shlex.join(["lthtui", "run", path, *changes])


class _Unsayable(Exception):
    """An override sets a field; none takes one out."""


def _changes(saved: Mapping[str, Any], wanted: Mapping[str, Any], path: Keys) -> Iterator[str]:
    """Overrides for what differs below a path."""
    gone = [key for key in saved if key not in wanted]
    if set(gone) - {"seed", "seeds"} or (gone and not {"seed", "seeds"} & set(wanted)):
        raise _Unsayable
    for key, value in wanted.items():
        if value != saved.get(key) or key not in saved:
            yield from _set((*path, key), saved.get(key), value)


def _set(path: Keys, before: Any, value: Any) -> Iterator[str]:
    """Overrides that give one field another value."""
    if path == ("vary",):
        if isinstance(before, list) or isinstance(value, list):
            raise _Unsayable
        yield from _sweeps(before or {}, value)
        return
    old, new = _block(before), _block(value)
    if before is None and new and "name" not in new and settings_at({}, path) is not None:
        old = {}
    if old is not None and new and old.get("name") == new.get("name"):
        yield from _changes(old, new, path)
        return
    if value is None:
        raise _Unsayable
    if path in (("seeds",), ("seed",)) and isinstance(value, list):
        yield f"seeds={','.join(map(_inline, value))}"
        return
    bare = new == {"name": value} or (isinstance(value, dict) and [*value] == ["name"])
    yield f"{'.'.join(map(str, path))}={_inline(new['name'] if new and bare else value)}"


def _sweeps(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Overrides for other sweeps."""
    if set(before) - set(wanted):
        raise _Unsayable
    for field, values in wanted.items():
        if values != before.get(field):
            yield f"{field}={','.join(map(_inline, values))}"


def _block(value: Any) -> dict[str, Any] | None:
    """A mapping, also of a choice that is written as its name alone; None for other values."""
    if isinstance(value, dict):
        return value
    return {"name": value} if isinstance(value, str) else None


def _inline(value: Any) -> str:
    return yamlfile.dump_inline([value])[1:-1]
