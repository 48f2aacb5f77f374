"""All runs of a root as one board: those with a folder, and those that only the store knows."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from engine.errors import StoreError
from engine.rundir import RunDirectory
from lthtui import storedruns, trash
from lthtui.board import Board, board
from lthtui.choosing import labelled
from lthtui.colours import colours
from lthtui.labels import SHORT
from lthtui.monitor import Monitor
from lthtui.notes import Book
from lthtui.records import RunSummary
from lthtui.runview import RunView, noted, view
from lthtui.store import Store
from lthtui.text import clean_line

SHARE = 0.05  # of the time that may go into reading the store again and again
AT_ONCE = 500  # new runs whose figures are not waited for before their names are shown


class Lookout:
    """Looks again at what may have changed, whenever it is asked; for one thread at a time."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._monitor, self._store = Monitor(root), Store(root)
        self._folders: dict[str, RunView] = {}
        self._stored: dict[str, RunView] = {}
        self._unreadable: set[str] = set()
        self._version: object = None
        self._next = 0.0  # when the store may be read again
        self._unread: list[RunSummary] = []  # runs of which only the names were read so far
        self._wanted: frozenset[str] = frozenset()
        self._extremes: dict[str, dict[str, tuple[float, float]]] = {}  # by metric
        self._book = Book(root)
        self._trouble = ""
        self._told: object = None
        self._board = Board()
        self._known: dict[tuple[str, ...], dict[str, str]] = {}  # by groups, what tells them apart

    def look(self, chosen: str | None = None) -> Board | None:
        """The board; None if it is as it was at the last call.

        Args:
            chosen: the run whose curves are wanted even if they have to be read from the store.
        """
        if self._version is None:
            self._book.refresh()
        self._look_at_folders()
        self._look_at_store(chosen)
        views = {**self._folders, **self._stored}
        news = (views, frozenset(self._unreadable), self._trouble)
        if news == self._told:
            return None
        self._told = news
        oldest = sorted(views.values(), key=lambda run: (run.created, run.run_id))
        given = colours(run.group for run in oldest)
        labels, before = self._labels(views), self._board.groups
        unreadable = len(self._unreadable)
        self._board = board(views, labels, given, unreadable, self._trouble, before)
        return self._board

    def want(self, metrics: Iterable[str]) -> None:
        """From the next look on, have the extremes of these metrics of runs without a folder."""
        self._wanted = frozenset(metrics)

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()
        self._book.close()

    def _look_at_folders(self) -> None:
        for watched in self._monitor.poll():
            run = watched.run_id
            try:
                notes = self._book.of(watched.directory)
                self._folders[run] = view(watched, self._folders.get(run), notes)
                self._unreadable.discard(run)
            except Exception:  # whatever is wrong with one folder, the others are shown
                self._folders.pop(run, None)
                self._unreadable.add(run)
        self._folders = {run: self._folders[run] for run in self._folders if self._has(run)}
        self._unreadable = {run for run in self._unreadable if self._has(run)}

    def _has(self, run: str) -> bool:
        return run in self._monitor.runs

    def _look_at_store(self, chosen: str | None) -> None:
        try:
            version = (self._store.version(), frozenset(self._monitor.runs))
            if self._unread:
                self._read_figures()
            elif version != self._version and time.monotonic() >= self._next:
                self._read_store()
                self._version = version
            if self._wanted - self._extremes.keys():
                self._read_extremes()
            run = self._stored.get(chosen or "")
            if run is not None and not (run.losses or run.validations):
                self._stored[run.run_id] = storedruns.with_curves(run, self._store)
            self._trouble = ""
        except StoreError as error:
            self._trouble = clean_line(str(error), 500)

    def _read_store(self) -> None:
        """Read what runs there are; figures of many that are new are left to the next look."""
        began = time.monotonic()
        if self._version is not None:
            self._read_notes()
        self._extremes.clear()
        thrown = trash.ids(self._root)  # which MLflow may not have been told yet
        known = self._store.runs(measured=False)
        found = [run for run in known if not self._has(run.run_id) and run.run_id not in thrown]
        self._unread = found
        new = {storedruns.key_of(run) for run in found} - self._stored.keys()
        if len(new) > AT_ONCE:
            views = {storedruns.key_of(run): storedruns.view(run, ()) for run in found}
            self._stored = {key: self._stored.get(key, one) for key, one in views.items()}
        else:
            self._read_figures()
        self._next = began + (time.monotonic() - began) / SHARE

    def _read_figures(self) -> None:
        """Read what was measured in the runs that are known by name."""
        began, runs = time.monotonic(), self._unread
        tickets = defaultdict(list)
        for ticket in self._store.tickets() if runs else ():
            tickets[ticket.mlflow_run_id].append(ticket)
        measured = self._store.measured() if runs else {}
        views = {}
        for run in runs:
            whole = replace(run, metrics=measured.get(run.mlflow_run_id, run.metrics))
            views[storedruns.key_of(run)] = storedruns.view(whole, tickets[run.mlflow_run_id])
        self._stored, self._unread = views, []
        self._read_extremes()
        self._next = max(self._next, time.monotonic() + (time.monotonic() - began) / SHARE)

    def _read_extremes(self) -> None:
        """Give runs without a folder the extremes that are wanted."""
        if not self._stored:
            return
        for key in self._wanted - self._extremes.keys():
            self._extremes[key] = self._store.extremes(key)
        for name, run in self._stored.items():
            known = {k: of[run.stored] for k, of in self._extremes.items() if run.stored in of}
            if known != run.extremes:
                self._stored[name] = replace(run, extremes=known)

    def _read_notes(self) -> None:
        """Look again at what people noted, in MLflow, of runs with a folder."""
        self._book.refresh()
        for name, run in self._folders.items():
            notes = self._book.of(RunDirectory(run.directory))
            self._folders[name] = replace(run, **noted(notes, run.name))

    def _labels(self, views: Mapping[str, RunView]) -> dict[str, str]:
        """Labels for groups whose name does not do, beginning with what tells them apart."""
        first: dict[str, RunView] = {}
        for run in views.values():
            first.setdefault(run.group, run)
        names = Counter(run.name for run in first.values())
        methods = self._methods(first.values(), views)
        labels = {}
        for group, run in first.items():
            if group in methods:
                named = f"{methods[group]} · {run.name}"
                labels[group] = methods[group] if run.controls else named
            elif names[run.name] > 1:
                labels[group] = f"{run.name} {group[:SHORT]}"
        return labels

    def _methods(self, runs: Iterable[RunView], views: Mapping[str, RunView]) -> dict[str, str]:
        """What groups with a folder are called among several of one name and their controls."""
        names: dict[tuple[str, str], list[RunView]] = {}
        for run in runs:
            if run.directory:
                names.setdefault((run.experiment, _controlled(run, views).name), []).append(run)
        methods: dict[str, str] = {}
        for alike in names.values():
            key = tuple(run.group for run in alike)
            if len(alike) > 1 and key not in self._known:
                self._known[key] = labelled(alike)
            methods |= self._known.get(key, {})
        return methods


def _controlled(run: RunView, views: Mapping[str, RunView]) -> RunView:
    """What a run controls in the end, as far as it is there; itself if it is no control."""
    seen = {run.run_id}
    while run.controls and run.controls.run in views.keys() - seen:
        run = views[run.controls.run]
        seen.add(run.run_id)
    return run
