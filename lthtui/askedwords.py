"""What could be typed next of a filter, of an order, or of columns: fields and their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from engine import registry
from engine.rundir import Status
from engine.schema import EPOCH_METRICS, LEVEL_METRICS
from lthtui.fields import ALIASES, ANSWERS, BUILT_IN, REDUCERS, Field

METRICS = (*(f"epoch/{one}" for one in EPOCH_METRICS), *(f"level/{one}" for one in LEVEL_METRICS))
_KINDS = {"sparsifier": "sparsifiers", "dataset": "datasets", "model": "models"}
_NAME = re.compile(r"[^\s(),]*$")  # the last of a text
_TERM = re.compile(r"([^=!<>~:]+)(!=|!~|<=|>=|=|<|>|~|:)(.*)")

Settings = Callable[[str], Iterable[str]]  # those of a run, as `a.b=c`, that begin with a text
Values = Callable[[str], Iterable[str]]  # of a field that all runs have


def names(typed: str, settings: Settings) -> list[str]:
    """Texts that go on with the name of a field, after commas and the `-` of an order."""
    before, name = _parted(typed)
    if before[-1:] in ("", ",") and name.startswith("-"):
        before, name = before + "-", name[1:]
    return [before + one for one in _names(before, name, settings)]


def terms(typed: str, settings: Settings, values: Values) -> list[str]:
    """Texts that go on with a term of a filter: with a field, or with a value after an operator.

    A shell ends a word where only one is left to offer: so a field is offered with operators.
    """
    before, term = _parted(typed)
    if found := _TERM.fullmatch(term):
        key, operator, _ = found.groups()
        ours = _values(ALIASES.get(key, key), settings, values)
        offered = [f"{key}{operator}{value}" for value in ours]
        return [before + one for one in offered if one.startswith(term)]
    found_names = [*_names(before, term, settings)]
    if len(found_names) == 1 and not found_names[0].endswith((".", "(", ")")):
        (name,) = found_names
        field = Field.parse(name)
        signs = "=:~" if field.family == "run" and not field.numeric else "=<>"
        found_names = [f"{name}{sign}" for sign in signs]
    return [before + one for one in found_names]


def _parted(typed: str) -> tuple[str, str]:
    found = _NAME.search(typed)
    at = found.start() if found else len(typed)
    return typed[:at], typed[at:]


def _names(before: str, name: str, settings: Settings) -> Iterator[str]:
    if before.endswith(tuple(f"{one}(" for one in REDUCERS)):
        yield from (f"{one})" for one in METRICS if one.startswith(name))
        return
    reduced = [f"{one}(" for one in REDUCERS] if name else []
    known = [*BUILT_IN, *METRICS, *reduced]
    yield from (one for one in known if one.startswith(name))
    if name:
        found = (one.partition("=")[0] for one in settings(name))
        yield from (one for one in dict.fromkeys(found) if one not in BUILT_IN)


def _values(key: str, settings: Settings, values: Values) -> list[str]:
    if key == "status":
        return [*(one.value for one in Status), "stalled"]
    if kind := _KINDS.get(key):
        return registry.names(kind)
    if key in ANSWERS:
        return ["yes", "no"]
    if key in BUILT_IN:
        return [*values(key)]
    return [one.partition("=")[2] for one in settings(f"{key}=")]
