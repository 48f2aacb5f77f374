"""Which groups are to be compared: marked rows of the table of runs, or a family."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from lthtui.board import GROUP, Board, Group

NAME = " · "  # in a label, between what a group is and its spec's name


def whole(board: Board, keys: Collection[str]) -> tuple[str, ...]:
    """The keys of rows that are there, a group's as such also while it has one run only."""
    found = []
    for group in board.groups:
        if group.key in keys or GROUP + group.id in keys:
            found.append(GROUP + group.id)
        else:
            found += [run.run_id for run in group.runs if run.run_id in keys]
    return tuple(found)


def family(board: Board, key: str | None) -> tuple[str, ...]:
    """The keys of all groups of the same data, model and training as a row's, its controls too."""
    group = board.group_of(key)
    if group is None:
        return ()
    alike = (one for one in board.groups if one.runs[0].family == group.runs[0].family)
    return tuple(GROUP + one.id for one in alike)


def groups(board: Board, keys: Collection[str]) -> tuple[Group, ...]:
    """The groups of keys as `whole` gives them; one with only some of its runs says which."""
    found = []
    for group in board.groups:
        runs = tuple(run for run in group.runs if run.run_id in keys)
        if GROUP + group.id in keys:
            found.append(group)
        elif runs:
            what, *name = group.label.split(NAME)
            seeds = (str(run.repetition) for run in runs)
            label = NAME.join([" ".join([what, *seeds]), *name])
            found.append(replace(group, runs=runs, label=label))
    return tuple(found)
