"""Spec files by what a person calls them: a path, a run's folder, or a bare name in `specs/`."""

from __future__ import annotations

import re
from pathlib import Path

from engine.errors import UsageError, did_you_mean
from lthtui import yamlfile
from lthtui.text import clean_line
from lthtui.yamlfile import Document, FileError

FOLDER = Path("specs")


def read(path: str | Path) -> tuple[Document, str]:
    """Read a spec file, and the name that it gives to runs without one.

    Raises:
        FileError: it is no YAML, or no mapping.
        UsageError: there is no such file.
    """
    found = find(str(path))
    return of_runs(yamlfile.read(found), found)


def of_runs(document: Document, path: Path) -> tuple[Document, str]:
    """A document of a file, and the name that it gives to runs without one.

    Raises:
        FileError: it is no mapping.
    """
    if not isinstance(document.data, dict):
        what = "the file is empty" if document.data is None else "expected fields such as data:"
        message = f"{what}; `lthtui new NAME` writes a spec"
        raise FileError([document.problem(message, document.values[()])])
    return document, _stem(path)


def find(name: str) -> Path:
    """Find a spec by its path, its run folder, or its bare name in `specs/`.

    Raises:
        UsageError: there is none; the message names the nearest.
    """
    path = Path(name)
    if path.is_dir() and (path / "spec.yaml").is_file():
        return path / "spec.yaml"
    if path.is_file():
        return path
    files = within(FOLDER)
    if bare := [one for one in files if one.stem == name]:
        return bare[0]
    known = {one.stem: str(one) for one in reversed(files)}
    hint = did_you_mean(path.stem, list(known))
    for stem in known:
        hint = hint.replace(f"did you mean {stem}?", f"did you mean {known[stem]}?")
    raise UsageError(f"{clean_line(name)}: no such spec{clean_line(hint)}")


def within(folder: Path) -> list[Path]:
    """The spec files of a folder, and then those of the folders in it."""
    found = (path for path in folder.rglob("*.y*ml") if path.suffix in (".yaml", ".yml"))
    return sorted(found, key=lambda path: (len(path.parts), path))


def _stem(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._")[:64]
