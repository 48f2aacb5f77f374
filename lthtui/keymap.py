"""Keys that a person chose instead of the app's: checked before the app starts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from engine.errors import UsageError, did_you_mean
from lthtui.text import clean_line

_KEY = re.compile(r"(?:(?:ctrl|alt|shift|super|meta)\+)*(?:\S|[a-z][a-z0-9_]+)")


@dataclass(frozen=True)
class Bound:
    """A binding that works in a place, as in a screen; `keys` stand between commas."""

    id: str
    place: str
    keys: str


def check(
    chosen: Mapping[str, str],
    known: Iterable[Bound],
    names: Iterable[str],
    spelled: Callable[[str], str] = str,
) -> None:
    """Refuse keys that name no binding or no key, or that would do two things in one place.

    Args:
        chosen: by the id of a binding, its keys between commas.
        names: of all keys that have a name, such as `pageup`.
        spelled: the one name of a key that has several, as `question_mark` for `?`.

    Raises:
        UsageError: with the binding, the key, and what would do.
    """
    known, named = [*known], frozenset(names)
    ids = [*dict.fromkeys(one.id for one in known)]
    for id, keys in chosen.items():
        if id not in ids:
            hint = did_you_mean(id, ids)
            raise UsageError(f"keys: there is no binding '{clean_line(id)}'{hint}")
        for key in split(keys):
            _check_key(id, key, named)
    places: dict[tuple[str, str], str] = {}
    for one in known:
        for key in split(chosen.get(one.id, one.keys)):
            other = places.setdefault((one.place, spelled(key)), one.id)
            if other != one.id and {other, one.id} & chosen.keys():
                raise UsageError(
                    f"keys: '{clean_line(key)}' would be both {other} and {one.id}; give one of"
                    " them another key"
                )


def split(keys: str) -> Sequence[str]:
    """Keys between commas; a comma itself is called `comma`."""
    return [key.strip() for key in keys.split(",")]


def _check_key(id: str, key: str, named: frozenset[str]) -> None:
    last = key.rpartition("+")[2] or key
    if not _KEY.fullmatch(key) or (len(last) > 1 and last not in named):
        near = get_close_matches(last, named, 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise UsageError(
            f"keys: '{clean_line(key)}' for {id} is no key{hint} A key is a character, a name as"
            " pageup or f5, or either behind ctrl+, alt+ or shift+"
        )
