"""Which problem of a spec is shown where: beside its line of the text, at its row of the form."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lthtui.yamlfile import Keys, Problem


def at_line(problems: Sequence[Problem], line: int) -> tuple[int, Problem] | None:
    """The first problem of a line, or else the first of all, and its number among them."""
    here = (at for at, one in enumerate(problems, 1) if one.mark and one.mark.line == line)
    at = next(here, 1)
    return (at, problems[at - 1]) if problems else None


def by_field(problems: Sequence[Problem], fields: Collection[str]) -> dict[str, Problem]:
    """By field of the form, its first problem; one that is in no field is its block's."""
    found: dict[str, Problem] = {}
    for one in problems:
        dotted = [".".join(map(str, one.path[:end])) for end in range(len(one.path), 0, -1)]
        if key := next((key for key in [_varied(one.path), *dotted] if key in fields), None):
            found.setdefault(key, one)
    return found


def _varied(path: Keys) -> str:
    """The field that varies at a path of `vary`, which may list several grids."""
    return next((str(key) for key in path[1:3] if path[0] == "vary" and "." in str(key)), "")
