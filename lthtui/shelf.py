"""The runs of a local store as the screens show them, read again when they may have changed."""

from __future__ import annotations

import os
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
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
AT_ONCE = 500  # new runs whose figures are not waited for before their names are shown


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

    Args:
        thrown: gives runs that are in the trash, which the store may not have been told yet.
    """

    def __init__(self, store: Store, thrown: Callable[[], Iterable[str]] = tuple) -> None:
        self._store, self._thrown = store, thrown
        self.runs: dict[str, RunView] = {}
        self.trouble, self.remark = "", ""
        self.since: float | None = None
        self._read_at: float | None = None
        self._version: object = None
        self._next = 0.0  # when the store may be read again
        self._glanced: object = None  # the version at which what is under way was read
        self._glance = 0.0  # when it may be read again
        self._unread: list[RunSummary] = []  # runs of which only the names were read so far
        self._extremes: dict[str, dict[str, tuple[float, float]]] = {}  # by metric

    def look(self, wanted: frozenset[str], folders: frozenset[str]) -> bool:
        """See `Shelf.look`."""
        read = False
        try:
            version = (self._store.version(), folders)
            if self._unread:
                self._read_figures(wanted)
            elif version != self._version and time.monotonic() >= self._next:
                self._read(wanted, folders)
                self._version, self._glanced, read = version, version, True
            elif version != self._glanced and time.monotonic() >= self._glance:
                self._read_moving(folders)
                self._glanced = version
            if wanted - self._extremes.keys():
                self._read_extremes(wanted)
            self.trouble, self.since, self._read_at = "", None, time.time()
        except Exception as error:  # a store that can't be read takes no run with a folder away
            self.trouble, self.since = told(error), self._read_at
        return read

    def close(self) -> None:
        """See `Shelf.close`."""
        self._store.close()

    def _read(self, wanted: frozenset[str], folders: frozenset[str]) -> None:
        """Read what runs there are; figures of many that are new are left to the next look."""
        began = time.monotonic()
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
        self._next = began + (time.monotonic() - began) / SHARE

    def _read_moving(self, folders: frozenset[str]) -> None:
        """Read runs that are under way, or were at the last look, long before all can be read."""
        began, runs = time.monotonic(), self.runs
        found = self._store.moving([run.stored for run in runs.values() if run.active])
        if found is None:
            return
        left_out = {*folders, *self._thrown()}
        tickets = defaultdict(list)
        for ticket in found[1]:
            tickets[ticket.mlflow_run_id].append(ticket)
        parents, moving = {run.parent for run in runs.values()}, {}
        for run in found[0]:
            key, id = storedruns.key_of(run), run.mlflow_run_id
            known = runs[key].extremes if key in runs else {}
            seen = storedruns.view(run, tickets[id], id in parents)
            moving[key] = replace(seen, extremes=known)
        self.runs = {key: run for key, run in {**runs, **moving}.items() if key not in left_out}
        self._glance = began + (time.monotonic() - began) / MOVING

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
        self._next = max(self._next, time.monotonic() + (time.monotonic() - began) / SHARE)

    def _read_extremes(self, wanted: frozenset[str]) -> None:
        if not self.runs:
            return
        for key in wanted - self._extremes.keys():
            self._extremes[key] = self._store.extremes(key)
        for name, run in self.runs.items():
            known = {k: of[run.stored] for k, of in self._extremes.items() if run.stored in of}
            if known != run.extremes:
                self.runs[name] = replace(run, extremes=known)
