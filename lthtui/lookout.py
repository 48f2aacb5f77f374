"""All runs of a root as one board: those with a folder, and those that only the store knows."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.errors import StoreError
from lthtui import storedruns
from lthtui.board import Board, board
from lthtui.choosing import labelled
from lthtui.colours import colours
from lthtui.labels import SHORT
from lthtui.monitor import Monitor
from lthtui.runview import RunView, view
from lthtui.store import Store
from lthtui.text import clean_line

SHARE = 0.05  # of the time that may go into reading the store again and again


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
        self._trouble = ""
        self._told: object = None
        self._board = Board()
        self._known: dict[tuple[str, ...], dict[str, str]] = {}  # by groups, what tells them apart

    def look(self, chosen: str | None = None) -> Board | None:
        """The board; None if it is as it was at the last call.

        Args:
            chosen: the run whose curves are wanted even if they have to be read from the store.
        """
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
        for group in self._board.groups:
            _ = group.rows  # made here, not in the thread that draws
        return self._board

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def _look_at_folders(self) -> None:
        for watched in self._monitor.poll():
            run = watched.run_id
            try:
                self._folders[run] = view(watched, self._folders.get(run))
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
            if version != self._version and time.monotonic() >= self._next:
                self._read_store()
                self._version = version
            run = self._stored.get(chosen or "")
            if run is not None and not (run.losses or run.validations):
                self._stored[run.run_id] = storedruns.with_curves(run, self._store)
            self._trouble = ""
        except StoreError as error:
            self._trouble = clean_line(str(error), 500)

    def _read_store(self) -> None:
        began = time.monotonic()
        tickets = defaultdict(list)
        for ticket in self._store.tickets():
            tickets[ticket.mlflow_run_id].append(ticket)
        self._stored = {
            storedruns.key_of(run): storedruns.view(run, tickets[run.mlflow_run_id])
            for run in self._store.runs()
            if not self._has(run.run_id)
        }
        took = time.monotonic() - began
        self._next = began + took / SHARE

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
