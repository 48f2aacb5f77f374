"""The folder of a report: its page, tables and figures, and a list of what it wrote there.

A report that is made again replaces what it wrote before, and touches nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.errors import LthError, UsageError
from engine.rundir import write_json
from lthtui.reports import figures, tables, values
from lthtui.reports.model import Report
from lthtui.reports.page import page
from lthtui.text import clean_line

PAGE, LIST = "index.html", "report.json"


def check(folder: Path) -> None:
    """Refuse a folder that is no report's, or that nothing can be written to.

    Raises:
        UsageError: it has other files, is none, or is another's.
    """
    shown = clean_line(str(folder))
    if os.path.lexists(folder) and not folder.is_dir():
        raise UsageError(f"{shown} is a file; name a folder")
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"{clean_line(str(there))} cannot be written to; name another folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / LIST).is_file():
        raise UsageError(f"{shown} has files that are no report's; name a new folder")


def write(report: Report, folder: Path) -> list[Path]:
    """Write all of it; the page last, so that what it shows is there.

    Raises:
        UsageError: see `check`.
        LthError: a file cannot be written.
    """
    check(folder)
    pictures = {figure.name: figures.drawn(figure) for figure in report.figures}
    made = {**_tables(report), **_figures(pictures)}
    made[values.FILE] = values.text(report.values).encode()
    svg = {name: forms["svg"] for name, forms in pictures.items()}
    made[PAGE] = page(report, svg).encode()
    try:
        _fill(folder, report.title, made)
    except OSError as error:
        why = clean_line(error.strerror or str(error))
        raise LthError(
            f"{clean_line(str(folder))}: {why}; not all of the report is there, make it again"
        ) from None
    return [folder / name for name in made]


def _fill(folder: Path, title: str, made: Mapping[str, bytes]) -> None:
    """Write files, and take away what an earlier report has left."""
    before = _listed(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / LIST, {"title": title, "files": sorted({*before, *made})})
    for name, content in made.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    for name in before - made.keys():
        (folder / name).unlink(missing_ok=True)
    write_json(folder / LIST, {"title": title, "files": sorted(made)})


def _tables(report: Report) -> dict[str, bytes]:
    return {
        f"tables/{table.name}{form}": write(table, report.spread).encode()
        for table in report.tables
        for form, write in tables.FORMS.items()
    }


def _figures(pictures: Mapping[str, Mapping[str, bytes]]) -> dict[str, bytes]:
    return {
        f"figures/{name}.{form}": content
        for name, forms in pictures.items()
        for form, content in forms.items()
    }


def _listed(folder: Path) -> set[str]:
    """What an earlier report wrote here; nothing outside the folder."""
    try:
        files = json.loads((folder / LIST).read_bytes())["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {*_within(files)}


def _within(files: object) -> Iterator[str]:
    for name in files if isinstance(files, list) else ():
        path = Path(str(name))
        if not path.is_absolute() and ".." not in path.parts:
            yield str(name)
