"""Checkpoints within a level: the newest two are kept, so that a damaged one costs little."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import checkpoints
from engine.checkpoints import Checkpoint
from engine.errors import Damaged
from engine.rundir import RunDirectory

if TYPE_CHECKING:
    from torch import Tensor

VERSION = 2  # raised whenever what a checkpoint holds changes


def save(
    directory: RunDirectory,
    level: int,
    position: int,
    tensors: Mapping[str, Mapping[str, Tensor]],
    meta: Mapping[str, Any],
) -> None:
    """Write a checkpoint of level `level` before schedule position `position`."""
    folder = directory.partial / f"{level:03d}-{position:09d}"
    checkpoints.save(folder, tensors, {**meta, "version": VERSION})
    for older in sorted(directory.partial.glob("[0-9]*"))[:-2]:
        shutil.rmtree(older)


def newest(directory: RunDirectory, level: int, warn: Callable[[str], None]) -> Checkpoint | None:
    """The newest usable checkpoint of a level; None if there is none. Others are removed."""
    for folder in sorted(directory.partial.glob(f"{level:03d}-[0-9]*"), reverse=True):
        try:
            found = checkpoints.load(folder)
            if found.meta.get("version") == VERSION:
                return found
            warn(f"{folder} was written by another version of this program; it is not used")
            shutil.rmtree(folder)
        except Damaged as error:
            warn(f"{error}; going back to the checkpoint before")
            shutil.rmtree(folder)
    return None


def exist(directory: RunDirectory, level: int) -> bool:
    """Whether there is any checkpoint of a level."""
    return any(directory.partial.glob(f"{level:03d}-[0-9]*"))


def last(directory: RunDirectory) -> Path | None:
    """The folder of the newest checkpoint of level 0, whether or not it is intact."""
    return max(directory.partial.glob("000-[0-9]*"), default=None)


def clear(directory: RunDirectory, but_last: bool = False) -> None:
    """Remove the checkpoints of a level that is finished, or all but the last of level 0."""
    if not but_last:
        shutil.rmtree(directory.partial, ignore_errors=True)
        return
    newest = last(directory)
    for folder in directory.partial.glob("[0-9]*"):
        if folder != newest:
            shutil.rmtree(folder)
