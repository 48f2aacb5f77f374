"""Spec files by what a person calls them: a path, a run's folder, or a bare name in `specs/`."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

from engine.errors import UsageError, some
from engine.spec import RunSpec
from lthtui import yamlfile
from lthtui.text import clean_line
from lthtui.yamlfile import Document, FileError

FOLDER = Path("specs")
SUFFIXES = (".yaml", ".yml")


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
    raise UsageError(f"{clean_line(name)}: {_unknown(path, files)}")


def _unknown(path: Path, files: list[Path]) -> str:
    """What is wrong with a path that is no spec, and what may have been meant."""
    if path.is_dir():
        return "a folder; name a spec in it"
    if path.name.partition(".")[0] in RunSpec.model_fields and path.suffix not in SUFFIXES:
        return f"no such spec; to change a field, write {clean_line(path.name)}=VALUE"
    known = {one.stem: str(one) for one in reversed(files)}
    if near := get_close_matches(path.stem, known, 1, 0.5):
        return f"no such spec; did you mean {clean_line(known[near[0]])}?"
    names = clean_line(some(sorted(known), 5))
    return f"no such spec; there are {names}" if known else "no such spec"


def within(folder: Path) -> list[Path]:
    """The spec files of a folder, and then those of the folders in it."""
    found = (path for path in folder.rglob("*.y*ml") if path.suffix in SUFFIXES)
    return sorted(found, key=lambda path: (len(path.parts), path))


def _stem(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._")[:64]
