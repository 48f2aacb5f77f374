"""The settings of groups side by side: only those in which they differ, or all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lthtui.runview import RunView
from lthtui.text import clean_line

ABSENT = "–"
WIDEST = 1000  # characters of a value


@dataclass(frozen=True)
class Setting:
    """A key of the resolved spec with the value of each group; empty where a group has none."""

    key: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether two groups have different values."""
        return len(set(self.values)) > 1


def settings(groups: Sequence[Sequence[RunView]]) -> list[Setting]:
    """All settings of groups, given by their runs, in the order of their specs.

    A group's value is that of its runs; several different ones are listed, as those of the seed.
    """
    known = [_together([run.params for run in runs]) for runs in groups]
    keys = merged([[*one] for one in known])
    return [Setting(key, tuple(one.get(key, "") for one in known)) for key in keys]


def merged(orders: Sequence[Sequence[str]]) -> list[str]:
    """Keys in an order that keeps that of the first list, and of the others as far as it can.

    A key that is new comes behind the one that it stands behind in its own list.
    """
    found: list[str] = []
    for order in orders:
        at, known = 0, set(found)
        for key in order:
            if key in known:
                at = found.index(key) + 1
            else:
                found.insert(at, key)
                at += 1
    return found


def _together(params: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The settings of runs of one group."""
    keys = merged([[*one] for one in params])
    values = {key: dict.fromkeys(one[key] for one in params if key in one) for key in keys}
    return {
        clean_line(key): ", ".join(clean_line(one, WIDEST) for one in different)
        for key, different in values.items()
    }
