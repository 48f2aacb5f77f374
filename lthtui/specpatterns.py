"""What a pattern of a field allows, in words: messages say it, so that nobody has to guess."""

from __future__ import annotations

import re
from collections.abc import Sequence

_FORM = re.compile(r"\^\[(?P<first>[^]]+)\]\[(?P<rest>[^]]+)\](?:\{0,(?P<more>\d+)\}|\*)\$")
_RANGES = {"A-Z": "letters", "a-z": "letters", "0-9": "digits"}
_ONE = {"letters": "a letter", "digits": "a digit"}


def allowed(pattern: str) -> str | None:
    """The characters of `^[first][others]*$` or `^[first][others]{0,n}$`; None for other forms."""
    form = _FORM.fullmatch(pattern)
    if form is None:
        return None
    begins = [_ONE.get(word, word) for word in _characters(form["first"])]
    most = f", at most {int(form['more']) + 1} of them" if form["more"] else ""
    return (
        f"it takes {_listed(_characters(form['rest']), 'and')}{most},"
        f" and begins with {_listed(begins, 'or')}"
    )


def _characters(inside: str) -> list[str]:
    """The characters of a class such as `A-Za-z0-9._-`, in words."""
    found = re.findall(r"A-Z|a-z|0-9|.", inside)
    return [*dict.fromkeys(_RANGES.get(one, f"'{one}'") for one in found)]


def _listed(words: Sequence[str], last: str) -> str:
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
