"""Finds the images that `data.examples` lists: in a file, or in a run that exported a set."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine import examples
from engine.errors import UsageError
from engine.rundir import RunDirectory, Status, status
from engine.spec import RunSpec
from lthtui import identity, runnames
from lthtui.text import clean_line

SUFFIXES = (".json", ".txt")
METHOD = "prac"  # the sparsifier that exports sets


def resolve(spec: RunSpec, root: Path) -> RunSpec:
    """The spec with the path of its list, and what names its images; it was found only once.

    Raises:
        DataError: there is no such file, or it is no list of images.
        UsageError: there is no such run, it exported no such set, or its last one may still come.
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
    if level and int(level) in sets:
        return sets[int(level)].absolute()
    _check_final(run, sets)
    if level:
        known = ", ".join(map(str, sets))
        raise UsageError(f"{run.run_id} exported no set in level {level}, only in {known}")
    return sets[max(sets)].absolute()


def _check_final(run: RunDirectory, sets: Iterable[int]) -> None:
    """Refuse a run without sets, and one that may find more than those of the levels `sets`."""
    state, levels = status(run), [*sets]
    if not levels and (state == Status.FINISHED or identity.read(run).sparsifier != METHOD):
        raise UsageError(
            f"{run.run_id} has exported no set of images; runs of sparsifier {METHOD} do, at the"
            " end of each level but the last"
        )
    if state != Status.FINISHED:
        how = "wait" if state in (Status.QUEUED, Status.RUNNING) else f"lthtui resume {run.run_id}"
        named = f"; level {levels[-1]}'s is: {run.run_id}:{levels[-1]}" if levels else ""
        raise UsageError(f"{run.run_id} is {state}, and its sets are not final yet; {how}{named}")


def _sets(run: RunDirectory) -> dict[int, Path]:
    """The files with sets, by level."""
    files = sorted(run.evaluations.glob(f"[0-9]*/{examples.FILE}"))
    return {int(file.parent.name): file for file in files}
