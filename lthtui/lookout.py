"""All runs of a root as one board: those with a folder, and those that only the store knows."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lthtui.board import Board, board
from lthtui.colours import colours
from lthtui.labels import SHORT
from lthtui.notebook import Book
from lthtui.once import Once
from lthtui.runview import RunView, noted, view
from lthtui.shelf import LocalShelf, Shelf
from lthtui.store import Store
from lthtui.viewcache import Kept, ViewCache

if TYPE_CHECKING:
    from lthtui.monitor import Monitor, Watched

PATIENCE = 2.0  # seconds that a store may be locked until a look goes on without it
MOMENT = 0.2  # seconds of a look that may go into what the first one left out


class Lookout:
    """Looks again at what may have changed, whenever it is asked; for one thread at a time."""

    def __init__(self, root: Path, store: str | None = None, *, hasty: bool = False) -> None:
        """Look at a root and at a store.

        Args:
            store: the address of a store to be shown instead of the root's own: all that it knows,
                and of the runs with a folder those that it knows too, or that are under way.
            hasty: whether the first look is to be soon: runs that have ended are then shown as they
                were seen last, or else without their epochs, and read by and by.
        """
        self._cache = ViewCache(root) if hasty else None
        self._kept: dict[str, Kept] = {}
        self._late: deque[Watched] = deque()  # runs of which not all was read so far
        self._root, self._elsewhere = root, store is not None
        self._shelf = _shelf(root, store)
        self._folders: dict[str, RunView] = {}
        self._unreadable: set[str] = set()
        self._wanted: frozenset[str] = frozenset()
        self._book = Book(root, PATIENCE)
        self._told: object = None
        self._board = Board()
        self._known: dict[tuple[str, ...], dict[str, str]] = {}  # by groups, what tells them apart

    def look(self) -> Board | None:
        """The board; None if it is as it was at the last call."""
        if self._told is None:
            self._book.refresh()
        self._look_at_folders()
        left_out = frozenset(() if self._elsewhere else {*self._folders, *self._unreadable})
        if self._shelf.look(self._wanted, left_out) and self._told is not None:
            self._read_notes()
        shelf, views = self._shelf, self._views()
        state = (shelf.trouble, shelf.since, shelf.remark)
        news = (views, frozenset(self._unreadable), state)
        if news == self._told:
            return None
        self._told = news
        oldest = sorted(views.values(), key=lambda run: (run.created, run.run_id))
        given = colours(run.group for run in oldest)
        labels, before = self._labels(views, oldest), self._board.groups
        made = board(views, labels, given, len(self._unreadable), shelf.trouble, before)
        self._board = replace(made, since=shelf.since, remark=shelf.remark)
        return self._board

    def want(self, metrics: Iterable[str]) -> None:
        """From the next look on, have the extremes of these metrics of runs without a folder."""
        self._wanted = frozenset(metrics)

    def close(self) -> None:
        """Let go of the store."""
        self._shelf.close()
        self._book.close()

    def _views(self) -> dict[str, RunView]:
        """What is shown: of another store, what it knows, and what is under way here."""
        stored = self._shelf.runs
        if not self._elsewhere:
            return {**self._folders, **stored}
        here = {key: run for key, run in self._folders.items() if run.active or key in stored}
        return {**stored, **here}

    @Once
    def _monitor(self) -> Monitor:
        """Watches the folders; those that are shown as they were pass for looked at."""
        from engine.rundir import Status
        from lthtui.monitor import Monitor  # here, as this waits for pydantic

        monitor = Monitor(self._root)
        for run, kept in self._kept.items():
            self._late.append(monitor.take(run, Status(kept.view.status), kept.changed))
        return monitor

    def _look_at_folders(self) -> None:
        if self._told is None and self._cache and self._remember(self._cache):
            return
        if not (self._folders or self._unreadable or os.path.isdir(self._root / "runs")):
            return  # a store alone waits for nothing that only watches folders
        for watched in self._monitor.poll():
            if self._cache and self._told is None and not watched.active:
                watched.read_epochs(False)
                self._late.append(watched)
            self._view(watched, self._folders.get(watched.run_id))
        if self._told is not None and self._cache and self._late:
            self._read_late(self._cache)
        self._folders = {run: self._folders[run] for run in self._folders if self._has(run)}
        self._unreadable = {run for run in self._unreadable if self._has(run)}

    def _remember(self, cache: ViewCache) -> bool:
        """Show runs as they were in an earlier session; whether these are all that there are."""
        self._kept = cache.read()
        for run, kept in self._kept.items():
            notes = self._book.of(Path(kept.view.directory), {"tags": kept.asked})
            told = noted(notes, kept.view.name)
            self._folders[run] = replace(kept.view, **told) if any(told.values()) else kept.view
        try:
            return self._kept.keys() >= {*os.listdir(self._root / "runs")}
        except FileNotFoundError:
            return True

    def _read_late(self, cache: ViewCache) -> None:
        """Read on where the first look left something out, for a moment."""
        end = time.monotonic() + MOMENT
        while self._late and time.monotonic() < end:
            watched = self._late.popleft()
            run = watched.run_id
            if self._has(run):
                mark = cache.mark(run)
                watched.read_epochs(True)
                watched.refresh()
                self._view(watched, None)
                if run in self._folders:
                    cache.keep(mark, self._folders[run], watched.identity.asked.get("tags", {}))
        if not self._late:
            cache.write()

    def _view(self, watched: Watched, before: RunView | None) -> None:
        run = watched.run_id
        try:
            notes = self._book.of(watched.directory.path, watched.identity.asked)
            self._folders[run] = view(watched, before, notes)
            self._unreadable.discard(run)
        except Exception:  # whatever is wrong with one folder, the others are shown
            self._folders.pop(run, None)
            self._unreadable.add(run)

    def _has(self, run: str) -> bool:
        return run in self._monitor.runs

    def _read_notes(self) -> None:
        """Look again at what people noted, in MLflow, of runs with a folder."""
        self._book.refresh()
        for name, run in self._folders.items():
            notes = self._book.of(Path(run.directory))
            self._folders[name] = replace(run, **noted(notes, run.name))

    def _labels(self, views: Mapping[str, RunView], oldest: Iterable[RunView]) -> dict[str, str]:
        """Labels for groups whose name does not do, beginning with what tells them apart."""
        first: dict[str, RunView] = {}
        for run in oldest:
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
        return _apart(labels, first)

    def _methods(self, runs: Iterable[RunView], views: Mapping[str, RunView]) -> dict[str, str]:
        """What groups of ours are called among several of one name and their controls."""
        names: dict[tuple[str, str], list[RunView]] = {}
        for run in runs:
            if run.directory or run.asked:
                names.setdefault((run.experiment, _controlled(run, views).name), []).append(run)
        methods: dict[str, str] = {}
        for alike in names.values():
            key = tuple(run.group for run in alike)
            if len(alike) > 1 and key not in self._known:
                from lthtui.choosing import labelled  # here, as this waits for pydantic

                self._known[key] = labelled(alike)
            methods |= self._known.get(key, {})
        return methods


def _apart(labels: Mapping[str, str], first: Mapping[str, RunView]) -> dict[str, str]:
    """Labels that groups of several experiments share, with their experiment, or else their id."""
    told = dict(labels)
    experiments = {group: f" · {first[group].experiment}" for group in told}
    for more in (experiments, {group: f" {group[:SHORT]}" for group in told}):
        many = Counter(told.values())
        told |= {group: one + more[group] for group, one in told.items() if many[one] > 1}
    return told


def _shelf(root: Path, store: str | None) -> Shelf:
    if store is None:
        return LocalShelf(Store(root, PATIENCE), lambda: _trashed(root))
    if store.startswith("sqlite:"):
        return LocalShelf(Store(store, PATIENCE))
    from lthtui.courier import ServerShelf

    return ServerShelf(Store(store))


def _trashed(root: Path) -> set[str]:
    if not os.path.isdir(root / "trash"):  # which most roots have not
        return set()
    from lthtui import runnames

    return runnames.trashed(root)


def _controlled(run: RunView, views: Mapping[str, RunView]) -> RunView:
    """What a run controls in the end, as far as it is there; itself if it is no control."""
    seen = {run.run_id}
    while run.controls and run.controls.run in views.keys() - seen:
        run = views[run.controls.run]
        seen.add(run.run_id)
    return run
