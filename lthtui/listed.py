"""Finds the images that `data.examples` lists: in a file, or in a run that exported a set."""

from __future__ import annotations

from pathlib import Path

from engine import examples
from engine.errors import UsageError
from engine.rundir import RunDirectory
from engine.spec import RunSpec
from lthtui import runnames
from lthtui.text import clean_line

SUFFIXES = (".json", ".txt")


def resolve(spec: RunSpec, root: Path) -> RunSpec:
    """The spec with the path of its list, and what names its images; it was found only once.

    Raises:
        DataError: there is no such file, or it is no list of images.
        UsageError: there is no such run, or it exported no set.
    """
    data = spec.data
    if data.examples is None or data.examples_sha256 is not None:
        return spec
    path = _path(data.examples, root)
    listed = {"examples": str(path), "examples_sha256": examples.read(path).sha256}
    return spec.model_copy(update={"data": data.model_copy(update=listed)})


def _path(text: str, root: Path) -> Path:
    """The file that a user means by a path, `RUN` or `RUN:LEVEL`."""
    if "/" in text or text.endswith(SUFFIXES):
        return Path(text).expanduser().absolute()
    name, _, level = text.partition(":")
    if level and not level.isdecimal():
        raise UsageError(
            f"'{clean_line(text)}' names no list of images; write RUN, RUN:LEVEL, or a file with"
            f" one of the endings {', '.join(SUFFIXES)}"
        )
    [run] = runnames.find(root, [name])
    sets = _sets(run)
    if not sets:
        raise UsageError(
            f"{run.run_id} has exported no set of images; runs of sparsifier prac do, at the end"
            " of each level but the last"
        )
    if level and int(level) not in sets:
        known = ", ".join(map(str, sets))
        raise UsageError(f"{run.run_id} exported no set in level {level}, only in {known}")
    return sets[int(level) if level else max(sets)].absolute()


def _sets(run: RunDirectory) -> dict[int, Path]:
    """The files with sets, by level."""
    files = sorted(run.evaluations.glob(f"[0-9]*/{examples.FILE}"))
    return {int(file.parent.name): file for file in files}
