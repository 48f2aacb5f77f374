"""What the app does about the trash outside of the screen: as `lthtui trash` does it.

Every method may take long and is called in a thread; what they return is to be said or shown.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.rundir import RunDirectory
from lthtui import people, runnames, trash
from lthtui.planning import size
from lthtui.runview import RunView
from lthtui.table import NOTHING, Cell, Column, Row
from lthtui.text import clean_line
from lthtui.verbs import ask

COLUMNS = (
    Column("run", 0),
    Column("since", 2),
    Column("size", 1, right=True),
    Column("user", 3),
)


@dataclass(frozen=True)
class Thrown:
    """A run in the trash.

    Attributes:
        since: when it was put there, in seconds since 1970.
        bytes: what its removal frees on the disk.
        user: who queued it; empty where nothing says so.
        ours: whether it counts as one's own.
    """

    run_id: str
    since: float
    bytes: int
    user: str
    ours: bool


class TrashDesk:
    """Puts runs of one root into the trash, and takes them out of it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def look(self) -> list[Thrown]:
        """What is in the trash, the oldest first."""
        found = []
        for one in trash.listed(self._root):
            user = people.of(one.directory)
            ours = people.meant(user, None)
            found.append(Thrown(one.directory.run_id, one.since, one.bytes, user, ours))
        return found

    def finish(self) -> str:
        """Tell MLflow what it was not told; what it could not be told again."""
        return _later(trash.finish(self._root, ask))

    def throw(self, runs: Sequence[RunView]) -> str:
        """Put runs with a folder into the trash, all or none of them.

        Raises:
            UsageError: one waits or runs, or others need it.
        """
        folders = [RunDirectory.open(Path(run.directory)) for run in runs]
        why = trash.throw(self._root, folders, ask)
        ids = [run.run_id for run in folders]
        verb, what = ("is", "it") if len(ids) == 1 else ("are", "them")
        return f"{_these(ids)} {verb} in the trash; T among the runs takes {what} back{_later(why)}"

    def restore(self, run_ids: Sequence[str]) -> str:
        """Take runs out of the trash.

        Raises:
            UsageError: there is a run of that id again.
        """
        runs = self._named(run_ids)
        if not runs:
            return f"{_these(run_ids)}: no longer in the trash"
        why = trash.restore(self._root, runs, ask)
        return f"{_these([run.run_id for run in runs])} restored{_later(why)}"

    def empty(self, run_ids: Sequence[str]) -> str:
        """Remove runs in the trash for good; what that freed, and why others stay."""
        freed, why = trash.empty(self._root, self._named(run_ids), ask)
        stay = (f"\n{clean_line(run)} stays: {said}" for run, said in why.items())
        return f"freed {size(freed)}{''.join(stay)}"

    def _named(self, run_ids: Sequence[str]) -> list[RunDirectory]:
        """Runs in the trash; those that somebody else took out or removed are left out."""
        wanted = {*run_ids}
        return [run for run in runnames.every(self._root, trash.FOLDER) if run.run_id in wanted]


def rows(found: Sequence[Thrown]) -> list[Row]:
    """A row for each run, known by its id."""
    return [
        Row(
            one.run_id,
            (
                Cell(clean_line(one.run_id)),
                Cell(time.strftime("%Y-%m-%d %H:%M", time.localtime(one.since)), "dim"),
                Cell(size(one.bytes)),
                NOTHING if one.ours else Cell(clean_line(one.user)),
            ),
        )
        for one in found
    ]


def _these(run_ids: Sequence[str]) -> str:
    return clean_line(run_ids[0]) if len(run_ids) == 1 else f"{len(run_ids)} runs"


def _later(why: Mapping[str, str]) -> str:
    said = dict.fromkeys(why.values())
    return "".join(f"\nMLflow is told later: {one}" for one in said)
