"""What the queue writes into runs' folders when they are submitted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from engine import filesystems, outstanding
from engine.dataspec import DataSettings
from engine.rundir import RunDirectory
from engine.spec import RunSpec
from lthtui import identity
from lthtui.launch import entries

M = TypeVar("M", bound=BaseModel)


def anchored(spec: RunSpec) -> RunSpec:
    """The spec with every `data.root` relative to nothing: workers run in no particular folder."""
    evaluate = tuple(rooted(one) for one in spec.evaluate)
    return rooted(spec).model_copy(update={"evaluate": evaluate})


def rooted(settings: M) -> M:
    """Settings with the root of their images, if they name any, relative to nothing."""
    data = getattr(settings, "data", None)
    if not isinstance(data, DataSettings):
        return settings
    moved = data.model_copy(update={"root": os.path.abspath(data.root)})
    return settings.model_copy(update={"data": moved})


def prepare(directory: RunDirectory, action: str, spec: RunSpec) -> None:
    """Have a run's folder say what is asked; `action` is what the queue does with the run.

    Raises:
        OSError: a file can't be written.
    """
    if action == "new":
        _make(directory, spec)
    else:
        identity.note(directory, spec)
    if action == "resumed":
        stored = directory.spec()
        _relocate(directory, stored, spec)
        outstanding.ask(directory, [one for one in spec.evaluate if one not in stored.evaluate])


def sync(root: Path, new: Sequence[RunDirectory]) -> None:
    """Put the folders of new runs on the disk."""
    for directory in new:
        filesystems.sync(directory.path)
    if new:
        filesystems.sync(root / "runs")


def _make(directory: RunDirectory, spec: RunSpec) -> None:
    directory.path.mkdir(mode=0o700, exist_ok=True)
    identity.store(directory, spec, entries.person())
    _write_spec(directory, spec)


def _relocate(directory: RunDirectory, stored: RunSpec, spec: RunSpec) -> None:
    """Take over where images and lists are now; all else of the run stays as it was asked first."""
    places = {"root": spec.data.root, "examples": spec.data.examples}
    data = stored.data.model_copy(update=places)
    if data != stored.data:
        _write_spec(directory, stored.model_copy(update={"data": data}))


def _write_spec(directory: RunDirectory, spec: RunSpec) -> None:
    from lthtui import specfiles

    temporary = directory.path / ".spec.yaml.tmp"
    with open(temporary, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(specfiles.write(spec))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(directory.spec_file)
