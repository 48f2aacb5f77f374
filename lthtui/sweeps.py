"""What varies in a spec file: the values that fields take in turn, and where they are written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lthtui.specerrors import Finding
from lthtui.spectree import Origin, Tree
from lthtui.yamlfile import Keys

FIXED = {
    **dict.fromkeys(("seed", "seeds"), "seeds vary by `seeds: [0, 1, 2]`"),
    "vary": "vary holds fields such as sparsifier.rate",
    "search": "a search is one for the whole file",
    "control": "controls are listed once, for the whole file",
    "version": "the version of the format cannot vary",
}


@dataclass(frozen=True)
class Axis:
    """A field, and the values that it takes in turn with where each is written."""

    path: Keys
    values: tuple[tuple[Any, Origin], ...]


def axes(
    place: Keys, grid: Mapping[str, Sequence[Any]], tree: Tree, changed: Collection[Keys]
) -> tuple[list[Axis], list[Finding]]:
    """What varies in a grid, outer blocks first, and what cannot.

    Args:
        place: where the grid is written.
        changed: fields that overrides set, which replace what varies in them.
    """
    found, problems = [], []
    for key, values in grid.items():
        path = dotted(key)
        if path[0] in FIXED:
            problems.append(Finding((*place, key), FIXED[str(path[0])], "key"))
        elif not any(path[: len(one)] == one for one in changed):
            origins = [tree.origin((*place, key, index)) for index in range(len(values))]
            found.append(Axis(path, tuple(zip(values, origins, strict=True))))
    return sorted(found, key=lambda axis: len(axis.path)), problems


def once(given: Sequence[Axis]) -> bool:
    """Whether no field is set twice, as by several grids."""
    return len({axis.path for axis in given}) == len(given)


def dotted(key: str) -> Keys:
    """The path of a field that is written with dots; of nothing, that of the whole."""
    return tuple(key.split(".")) if key else ()
