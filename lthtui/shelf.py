"""The runs of a local store as the screens show them, read again when they may have changed."""

from __future__ import annotations

import os
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from engine.errors import StoreError
from lthtui import storedruns
from lthtui.records import RunSummary
from lthtui.runview import RunView
from lthtui.store import Store
from lthtui.text import clean_line

SHARE = 0.05  # of the time that may go into reading all of a store again and again
MOVING = 0.1  # of the time that may go into reading what is under way
AT_ONCE = 500  # runs whose figures are not waited for before their names are shown
PART = 250  # runs that are read again at a time: who looks never waits for thousands


class Shelf(Protocol):
    """Runs of a store; `look` brings them up to date.

    Attributes:
        runs: by the ids that the screens know them by.
        trouble: what is wrong with the store, in one line.
        since: when it was last read without trouble (seconds since 1970), while there is trouble.
        remark: what is not read yet, or never will be, in one line.
    """

    @property
    def runs(self) -> Mapping[str, RunView]: ...
    @property
    def trouble(self) -> str: ...
    @property
    def since(self) -> float | None: ...
    @property
    def remark(self) -> str: ...

    def look(self, wanted: frozenset[str], folders: frozenset[str]) -> bool:
        """Bring the runs up to date; whether they were read anew.

        Args:
            wanted: metrics of which more than the newest value is asked for: their extremes.
            folders: runs that are left out.
        """

    def close(self) -> None:
        """Let go of the store."""


def told(error: Exception) -> str:
    """What is wrong with a store, in one line; with LTHTUI_DEBUG=1 also where a bug is."""
    if isinstance(error, StoreError):
        return clean_line(str(error), 500)
    where = "LTHTUI_DEBUG=1 shows where it happened"
    if os.environ.get("LTHTUI_DEBUG") == "1":
        steps = traceback.extract_tb(error.__traceback__)
        where = " < ".join(f"{os.path.basename(s.filename)}:{s.lineno}" for s in reversed(steps))
    what = clean_line(f"{type(error).__name__}: {error}", 300)
    return f"unexpected {what}. This is a bug; {clean_line(where, 500)}"


class LocalShelf:
    """See `Shelf`: of a store on this machine, which is read at once, in the caller's thread.

    What changed is read again part by part, and in between what is under way.

    Args:
        thrown: gives runs that are in the trash, which the store may not have been told yet.
    """

    def __init__(self, store: Store, thrown: Callable[[], Iterable[str]] = tuple) -> None:
        self._store, self._thrown = store, thrown
        self.runs: dict[str, RunView] = {}
        self.trouble, self.remark = "", ""
        self.since: float | None = None
        self._read_at: float | None = None
        self._version: object = None  # at which it was begun to read all
        self._next = 0.0  # when more of it may be read
        self._glanced: object = None  # the version at which what is under way was read
        self._glance = 0.0  # when it may be read again
        self._unread: list[RunSummary] = []  # runs of which only the names were read so far
        self._left: list[str] = []  # MLflow's ids of the runs that are still to be read again
        self._extremes: dict[str, dict[str, tuple[float, float]]] = {}  # by metric

    def look(self, wanted: frozenset[str], folders: frozenset[str]) -> bool:
        """See `Shelf.look`."""
        read = False
        try:
            version, now = (self._store.version(), folders), time.monotonic()
            if self._unread:
                self._read_figures(wanted)
            elif now >= self._next and not self._left and version != self._version:
                self._begin(wanted, folders)
                self._version, self._glanced, read = version, version, True
            elif now >= self._next and self._left:
                self._read_part(folders)
                self._glanced = version
            elif now >= self._glance and version != self._glanced:
                self._read_moving((), folders)
                self._glanced, self._glance = version, _rested(now, MOVING)
            if wanted - self._extremes.keys():
                self._read_extremes(wanted)
            self.trouble, self.since, self._read_at = "", None, time.time()
        except Exception as error:  # a store that can't be read takes no run with a folder away
            self.trouble, self.since = told(error), self._read_at
        return read

    def close(self) -> None:
        """See `Shelf.close`."""
        self._store.close()

    def _begin(self, wanted: frozenset[str], folders: frozenset[str]) -> None:
        """Begin to read all runs; the first time, and of some stores, read them at once."""
        began = time.monotonic()
        ids = None if self._version is None else self._store.ids()
        if ids is None:
            self._read(wanted, folders)
        else:
            known = {run.stored: key for key, run in self.runs.items()}
            self.runs = {key: self.runs[key] for id, key in known.items() if id in ids}
            self._left = sorted(ids, key=known.__contains__)  # new ones first
            self._extremes.clear()
            self._read_extremes(wanted)
            self._read_part(folders)
        self._next = max(self._next, _rested(began, SHARE))

    def _read(self, wanted: frozenset[str], folders: frozenset[str]) -> None:
        """Read what runs there are; figures of many that are new are left to the next look."""
        self._extremes.clear()
        left_out = {*folders, *self._thrown()}
        known = self._store.runs(measured=False)
        self._unread = [run for run in known if run.run_id not in left_out]
        new = {storedruns.key_of(run) for run in self._unread} - self.runs.keys()
        if len(new) > AT_ONCE:
            views = storedruns.views(self._unread, {})
            self.runs = {key: self.runs.get(key, one) for key, one in views.items()}
        else:
            self._read_figures(wanted)

    def _read_part(self, folders: frozenset[str]) -> None:
        """Read some of the runs that are left, and what is under way."""
        began, left = time.monotonic(), self._left
        self._read_moving(left[:PART], folders)
        self._left, self._next = left[PART:], _rested(began, SHARE)

    def _read_moving(self, ids: Sequence[str], folders: frozenset[str]) -> None:
        """Read these runs, and those that are under way, or were at the last look."""
        runs = self.runs
        active = (run.stored for run in runs.values() if run.active)
        found = self._store.moving([*active, *ids])
        if found is None:
            return
        left_out = {*folders, *self._thrown()}
        tickets = defaultdict(list)
        for ticket in found[1]:
            tickets[ticket.mlflow_run_id].append(ticket)
        parents, changed = {run.parent for run in runs.values()}, dict[str, RunView]()
        for run in found[0]:
            key, id = storedruns.key_of(run), run.mlflow_run_id
            seen = self._measured(storedruns.view(run, tickets[id], id in parents))
            before = changed.get(key) or runs.get(key)
            if seen != before and not _older(before, seen):  # what is as it was stays the same
                changed[key] = seen
        self.runs = {key: run for key, run in {**runs, **changed}.items() if key not in left_out}

    def _read_figures(self, wanted: frozenset[str]) -> None:
        """Read what was measured in the runs that are known by name."""
        began, runs = time.monotonic(), self._unread
        tickets = defaultdict(list)
        for ticket in self._store.tickets() if runs else ():
            tickets[ticket.mlflow_run_id].append(ticket)
        measured = self._store.measured() if runs else {}
        whole = (replace(run, metrics=measured.get(run.mlflow_run_id, run.metrics)) for run in runs)
        self.runs, self._unread = storedruns.views(whole, tickets), []
        self._read_extremes(wanted)
        self._next = max(self._next, _rested(began, SHARE))

    def _read_extremes(self, wanted: frozenset[str]) -> None:
        if not self.runs:
            return
        for key in wanted - self._extremes.keys():
            self._extremes[key] = self._store.extremes(key)
        self.runs = {name: self._measured(run) for name, run in self.runs.items()}

    def _measured(self, run: RunView) -> RunView:
        """The run with the extremes that were read; the very same if it has them."""
        known = {key: of[run.stored] for key, of in self._extremes.items() if run.stored in of}
        return run if known == run.extremes else replace(run, extremes=known)


def _older(before: RunView | None, seen: RunView) -> bool:
    """Whether another run of MLflow's was there before that says that it is the same run."""
    return before is not None and before.stored != seen.stored and before.created <= seen.created


def _rested(began: float, share: float) -> float:
    """When that may be done again which began then, for its share of the time."""
    return began + (time.monotonic() - began) / share
