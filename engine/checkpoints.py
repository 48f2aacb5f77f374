"""Checkpoints: a folder of tensors that exists whole or not at all, with checksums.

A checkpoint is written under a temporary name and renamed when its manifest, which holds the
SHA-256 of every file and is written last, is on the disk. A damaged one is detected when it is
read.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import filesystems
from engine.errors import Damaged

if TYPE_CHECKING:
    from torch import Tensor

MANIFEST = "manifest.json"


def _unfenced() -> None:
    """Let everything appear."""


# Asked right before a checkpoint appears under its name: a worker's raises once it is replaced.
fence: Callable[[], None] = _unfenced


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds: groups of named tensors on the CPU, and plain JSON values."""

    tensors: dict[str, dict[str, Tensor]]
    meta: dict[str, Any]


def save(
    folder: Path, tensors: Mapping[str, Mapping[str, Tensor]], meta: Mapping[str, Any]
) -> None:
    """Write a checkpoint to `folder`, which appears whole; an older one there is replaced.

    Args:
        tensors: file stem -> name -> tensor.
        meta: plain JSON values.

    Raises:
        OSError: nothing was written, such as on a full disk.
    """
    files = {f"{stem}.safetensors": pack(group) for stem, group in tensors.items()}
    write(folder, files, meta)


def write(folder: Path, files: Mapping[str, bytes], meta: Mapping[str, Any]) -> None:
    """Write the files of a checkpoint and their manifest. See `save`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(mode=0o700)
        for name, data in files.items():
            _write(temporary / name, data)
        _write(temporary / MANIFEST, _manifest(files, meta))
        fence()
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
        filesystems.sync(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load(folder: Path) -> Checkpoint:
    """Read a checkpoint and check it.

    Raises:
        Damaged: a file is missing or differs from its checksum.
    """
    from safetensors.torch import load as unpack

    files, meta = read(folder)
    groups = {name.removesuffix(".safetensors"): unpack(data) for name, data in files.items()}
    return Checkpoint(groups, meta)


def read(folder: Path, only: str | None = None) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Read and check the files of a checkpoint (or `only` one), and its meta values.

    Raises:
        Damaged: a file is missing or differs from its checksum.
    """
    meta, listed = manifest(folder)
    names = [only] if only else list(listed)
    try:
        files = {name: (folder / name).read_bytes() for name in names}
    except OSError as error:
        raise Damaged(f"{folder}: {error.strerror}: {error.filename}") from None
    for name, data in files.items():
        if hashlib.sha256(data).hexdigest() != listed.get(name):
            raise Damaged(f"{folder / name} differs from its checksum")
    return files, meta


def manifest(folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """A checkpoint's meta values, and its files with their checksums, without reading tensors.

    Raises:
        Damaged: there is no manifest, or it differs from its own checksum.
    """
    try:
        body = json.loads((folder / MANIFEST).read_bytes())
        intact = hashlib.sha256(_canonical(body["body"])).hexdigest() == body["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        raise Damaged(f"{folder} has no readable {MANIFEST}") from None
    if not intact:
        raise Damaged(f"{folder / MANIFEST} differs from its checksum")
    return body["body"]["meta"], body["body"]["files"]


def drop(folder: Path, name: str) -> None:
    """Remove one file from a checkpoint: first from its manifest, then from the disk."""
    meta, listed = manifest(folder)
    if listed.pop(name, None) is not None:
        temporary = folder / f".{MANIFEST}.{os.getpid()}.tmp"
        _write(temporary, _signed({"files": listed, "meta": meta}))
        fence()
        temporary.replace(folder / MANIFEST)
        filesystems.sync(folder)
    (folder / name).unlink(missing_ok=True)  # also what a process left that was killed here


def pack(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """Serialise tensors with safetensors; C order, on the CPU."""
    from safetensors.torch import save as serialise

    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    return serialise(plain, metadata)


def clean(folder: Path) -> None:
    """Remove what writers that died left in `folder`: `.<name>.<pid>.tmp`."""
    for leftover in folder.glob(".*.tmp"):
        if Path("/proc", leftover.name.split(".")[-2]).exists():
            continue  # its writer may be about to rename it
        filesystems.remove(leftover)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _manifest(files: Mapping[str, bytes], meta: Mapping[str, Any]) -> bytes:
    listed = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    return _signed({"files": listed, "meta": dict(meta)})


def _signed(body: dict[str, Any]) -> bytes:
    return _canonical({"body": body, "sha256": hashlib.sha256(_canonical(body)).hexdigest()})


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
