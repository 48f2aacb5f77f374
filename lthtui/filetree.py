"""The files of a run as a tree: its folder, and what MLflow keeps of it on this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import link
from engine.rundir import RunDirectory
from lthtui.planning import size
from lthtui.runview import RunView
from lthtui.table import NOTHING, Cell, Column, Row
from lthtui.text import clean_line

MOST = 1000  # entries of a folder that are shown
COLUMNS = (Column("file", rank=0), Column("size", rank=1, right=True))
SEPARATOR = "\0"  # in a key, between the name of a place and a path in it; in no file's name


@dataclass(frozen=True)
class Entry:
    """Something in a folder.

    Attributes:
        kind: folder, file, link, or other for what cannot be read like a file.
        size: bytes of a file, else 0.
    """

    name: str
    kind: str
    size: int = 0


def places(root: Path, runs: Sequence[RunView]) -> dict[str, Path]:
    """The folders to show of runs, by what they are called."""
    found = {}
    for run in runs:
        lead = f"s{run.seed} " if len(runs) > 1 else ""
        if run.directory:
            found[f"{lead}run folder"] = Path(run.directory)
        kept = _artifacts(root, run)
        if kept is not None:
            found[f"{lead}MLflow artifacts"] = kept
    return found


def rows(places: Mapping[str, Path], opened: Collection[str]) -> list[Row]:
    """The tree as rows of a table; folders whose keys are `opened` show what is in them."""
    found = []
    for name, path in places.items():
        key = name + SEPARATOR
        fold = "▾" if key in opened else "▸"
        found.append(Row(key, (Cell(clean_line(name), "name"), NOTHING), fold=fold))
        if key in opened:
            found += _within(path, key, opened, 1)
    return found


def place(places: Mapping[str, Path], key: str) -> tuple[Path, str] | None:
    """The folder that a row is in, and its path in there; None if its place is no more."""
    name, _, within = key.partition(SEPARATOR)
    return (places[name], within) if name in places else None


def listed(folder: Path) -> tuple[list[Entry], int]:
    """What is in a folder, folders first, and how many entries were left out.

    Nothing of a folder that cannot be read, or that is a link.
    """
    if folder.is_symlink():
        return [], 0
    try:
        with os.scandir(folder) as found:
            entries = [entry for one in found if (entry := _entry(one)) is not None]
    except OSError:
        return [], 0
    entries.sort(key=lambda entry: (entry.kind != "folder", entry.name))
    return entries[:MOST], max(len(entries) - MOST, 0)


def _within(folder: Path, lead: str, opened: Collection[str], depth: int) -> Iterator[Row]:
    entries, more = listed(folder)
    for entry in entries:
        key = lead + entry.name
        name = clean_line(entry.name)
        if entry.kind == "folder":
            unfolded = key + "/" in opened
            fold = "▾" if unfolded else "▸"
            yield Row(key + "/", (Cell(f"{name}/"), NOTHING), depth, fold)
            if unfolded:
                yield from _within(folder / entry.name, key + "/", opened, depth + 1)
        elif entry.kind == "file":
            yield Row(key, (Cell(name), Cell(size(entry.size), "dim")), depth)
        else:
            yield Row(key, (Cell(name, "dim"), Cell(entry.kind, "dim")), depth)
    if more:
        yield Row(f"{lead}{SEPARATOR}more", (Cell(f"and {more:,} more", "dim"), NOTHING), depth)


def _entry(one: os.DirEntry[str]) -> Entry | None:
    try:
        about = one.stat(follow_symlinks=False)
    except OSError:
        return None  # it has just gone
    if stat.S_ISLNK(about.st_mode):
        return Entry(one.name, "link")
    if stat.S_ISDIR(about.st_mode):
        return Entry(one.name, "folder")
    regular = stat.S_ISREG(about.st_mode)
    return Entry(one.name, "file", about.st_size) if regular else Entry(one.name, "other")


def _artifacts(root: Path, run: RunView) -> Path | None:
    """Where MLflow keeps files of a run, below its root; None if that is nowhere here."""
    known = link.read(RunDirectory(run.directory)) if run.directory else None
    id = known.mlflow_run_id if known else run.stored
    if not id.isalnum():
        return None
    return next(iter(sorted((root / "artifacts").glob(f"*/{id}/artifacts"))), None)
