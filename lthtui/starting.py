"""Finds the checkpoint that a spec's first weights come from, and notes which file that is."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from engine.errors import UsageError
from engine.spec import RunSpec


def resolve(spec: RunSpec) -> RunSpec:
    """The spec with the path of that file and what tells it from others; it was found only once.

    Raises:
        UsageError: there is no such file.
    """
    start = spec.start
    if start.file is None or start.sha256 is not None:
        return spec
    path = Path(start.file).expanduser().absolute()
    try:
        stamp = path.stat()
        found = {"file": str(path), "sha256": _sha256(path, stamp.st_mtime_ns, stamp.st_size)}
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}); name a checkpoint, a RUN, or torchvision"
        ) from None
    return spec.model_copy(update={"start": start.model_copy(update=found)})


@lru_cache(maxsize=16)
def _sha256(path: Path, changed: int, size: int) -> str:
    """Of a file; one that did not change is read once."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
