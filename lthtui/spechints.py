"""Guesses at what was meant where a spec is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from engine.errors import did_you_mean
from lthtui import yamlfile
from lthtui.text import clean_line
from lthtui.yamlfile import Keys

_PERCENT = re.compile(r"([0-9.]+) ?%")
_COMMA = re.compile(r"([+-]?[0-9]+),([0-9]+)")
_SINGLE = ("a number", "a whole number", "true or false", "text")
_ALIKE = 0.8  # how like a field's name another has to be that stands elsewhere


def field(name: str, known: list[str], tree: dict[str, Any]) -> str:
    """What an unknown field may have been meant to be; a guess is a field here or elsewhere.

    Args:
        known: the fields that there are in its place.
        tree: the settings, which choose what fields there are elsewhere.
    """
    word = re.split(r"[\s:]", name, maxsplit=1)[0]
    if word != name and word in known:
        return f"; expected ': ' between {word} and its value"
    places = _places(tree)
    near = [*places.get(name, ()), *(did for did in get_close_matches(name, known, 1, 0.5))]
    if not near and (alike := get_close_matches(name, places, 1, _ALIKE)):
        near = places[alike[0]]
    return f"; did you mean {clean_line(near[0])}?" if near else did_you_mean(name, known)


def value(found: Any, words: Sequence[str], path: Keys) -> str:
    """What a value of a wrong kind may have been meant to be, or how to have several in turn.

    Args:
        words: what would have been taken, such as `a number`.
    """
    single = any(one in words for one in _SINGLE)
    if isinstance(found, list | tuple) and single and not any(isinstance(key, int) for key in path):
        return f"; vary: {{{clean_line('.'.join(map(str, path)))}: [...]}} takes several in turn"
    if not isinstance(found, str) or not {"a number", "a whole number"} & {*words}:
        return ""
    if percent := _PERCENT.fullmatch(found):
        return f"; write {float(percent[1]) / 100:g}"
    if comma := _COMMA.fullmatch(found):
        return f"; write {comma[1]}.{comma[2]}"
    try:
        quoted = isinstance(yamlfile.scalar(found), int | float)
    except ValueError:
        return ""
    return "; leave out the quotes" if quoted else ""


def _places(tree: dict[str, Any]) -> dict[str, list[str]]:
    """Where in the settings there are fields of a name; the first is the least deep."""
    from lthtui import form

    places: dict[str, list[str]] = {}
    for knob in sorted(form.knobs(tree), key=lambda one: len(one.path)):
        places.setdefault(str(knob.path[-1]), []).append(knob.key)
    return places
