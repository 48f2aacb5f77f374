"""The tags of one or several runs as a table, and what typing `key=value` changes in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.errors import UsageError
from lthtui import notes
from lthtui.runview import RunView
from lthtui.table import Cell, Column, Row
from lthtui.text import clean_line

COLUMNS = (Column("tag", 1), Column("value", 0), Column("runs", 2, right=True))
LONGEST = 30  # characters of a tag's name that are shown
DIFFER = "differ: "


def rows(runs: Sequence[RunView]) -> list[Row]:
    """A row for each tag of any of the runs, known by the tag."""
    keys = sorted({key for run in runs for key in run.tags})
    return [Row(key, _cells(key, runs)) for key in keys]


def typed(key: str, runs: Sequence[RunView]) -> str:
    """What is to be typed over to change a tag: its value, too, where runs have the same.

    Raises:
        UsageError: the value cannot be typed on one line.
    """
    values = {run.tags.get(key) for run in runs} - {None}
    value = values.pop() if len(values) == 1 else None
    if not f"{key}{value or ''}".isprintable():
        raise UsageError(
            f"tag {clean_line(key)}: its value cannot be typed on one line; `lthtui tag` changes it"
        )
    return f"{key}={value or ''}"


def changes(text: str, before: str = "") -> Mapping[str, str | None]:
    """What `key=value` changes; the tag `before`, if it was another, is removed.

    Raises:
        UsageError: the tag is a program's, or none that MLflow takes.
    """
    if "=" not in text:
        raise UsageError("write key=value")
    found = notes.tags_of([text])
    return found if not before or before in found else {before: None, **found}


def _cells(key: str, runs: Sequence[RunView]) -> tuple[Cell, ...]:
    values = [run.tags[key] for run in runs if key in run.tags]
    some = f"{len(values)} of {len(runs)}" if len(values) < len(runs) else ""
    different = [clean_line(value) for value in dict.fromkeys(values)]
    shown = Cell(different[0])
    if len(different) > 1:
        shown = Cell(DIFFER + ", ".join(different), "dim")
    return Cell(clean_line(key, LONGEST), "name"), shown, Cell(some, "dim")
