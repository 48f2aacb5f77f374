"""torchvision's weights for ImageNet: where their files are, and whence they come."""

from __future__ import annotations

import hashlib
import os
import shutil
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import torch

from engine.errors import DataError
from engine.startspec import FILES

ADDRESS = "https://download.pytorch.org/models/"
PATIENCE = 60.0  # seconds between two parts of a file


def file(model: str, weights: str) -> Path:
    """The file of a network's weights, downloaded once to where torchvision keeps its own.

    Raises:
        DataError: it is not there and cannot be downloaded, or is damaged.
    """
    name = FILES[model][weights]
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not path.is_file():
        _download(ADDRESS + name, path)
    if why := _damage(path, name):
        raise DataError(f"{path} is damaged: {why}; delete it")
    return path


def _download(address: str, path: Path) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with urlopen(address, timeout=PATIENCE) as answer, part.open("wb") as file:
            shutil.copyfileobj(answer, file)
        why = _damage(part, path.name)
        if not why:
            part.replace(path)
    except TimeoutError:
        why = f"nothing came for {PATIENCE:g} s"
    except (OSError, HTTPException) as error:
        why = str(error)
    finally:
        part.unlink(missing_ok=True)
    if why:
        raise DataError(
            f"{address} cannot be downloaded ({why}); put the file to {path}, or name it as"
            " start.file"
        )


def _damage(path: Path, name: str) -> str:
    """What is wrong with a file, whose published name ends in the first digits of its SHA-256."""
    expected = name.rpartition("-")[2].removesuffix(".pth")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return "" if found.startswith(expected) else f"its SHA-256 begins {found[:8]}"
