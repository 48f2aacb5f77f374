"""The files of runs as a tree of rows, one root for each place where there are some."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from engine.errors import StoreError
from lthtui.places import Place
from lthtui.planning import size
from lthtui.table import NOTHING, Cell, Column, Row
from lthtui.text import clean_line

COLUMNS = (Column("file", rank=0), Column("size", rank=1, right=True))
SEPARATOR = "\0"  # in a key, between the name of a place and a path in it; in no file's name


def rows(places: Mapping[str, Place], opened: Collection[str]) -> list[Row]:
    """The tree as rows of a table; folders whose keys are `opened` show what is in them."""
    found = []
    for name, place in places.items():
        key = name + SEPARATOR
        fold = "▾" if key in opened else "▸"
        found.append(Row(key, (Cell(clean_line(name), "name"), _whole(place, "")), fold=fold))
        if key in opened:
            found += _within(place, "", key, opened, 1)
    return found


def found(places: Mapping[str, Place], key: str) -> tuple[Place, str] | None:
    """The place that the file of a row is in, and its path in there; None for what is no file."""
    name, _, within = key.partition(SEPARATOR)
    if name not in places or not within or within.endswith("/") or SEPARATOR in within:
        return None
    return places[name], within


def _within(
    place: Place, folder: str, lead: str, opened: Collection[str], depth: int
) -> Iterator[Row]:
    try:
        entries, more = place.listed(folder)
    except StoreError as error:
        yield Row(f"{lead}{SEPARATOR}trouble", (Cell(clean_line(str(error)), "failed"), NOTHING), 1)
        return
    for entry in entries:
        key = lead + entry.name
        name = clean_line(entry.name)
        if entry.kind == "folder":
            unfolded = key + "/" in opened
            fold = "▾" if unfolded else "▸"
            inner = f"{folder}{entry.name}/"
            yield Row(key + "/", (Cell(f"{name}/"), _whole(place, inner)), depth, fold)
            if unfolded:
                yield from _within(place, inner, key + "/", opened, depth + 1)
        elif entry.kind == "file":
            yield Row(key, (Cell(name), Cell(size(entry.size), "dim")), depth)
        else:
            yield Row(key, (Cell(name, "dim"), Cell(entry.kind, "dim")), depth)
    if more:
        yield Row(f"{lead}{SEPARATOR}more", (Cell(f"and {more:,} more", "dim"), NOTHING), depth)


def _whole(place: Place, folder: str) -> Cell:
    """The size of all that is in a folder; empty where finding that out would take too long."""
    whole = place.whole(folder)
    return Cell("" if whole is None else size(whole), "dim")
