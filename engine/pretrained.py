"""torchvision's weights for ImageNet: where their files are, and whence they come."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from engine.errors import DataError
from engine.startspec import FILES

ADDRESS = "https://download.pytorch.org/models/"


def file(model: str, weights: str) -> Path:
    """The file of a network's weights, downloaded once to where torchvision keeps its own.

    Raises:
        DataError: it is not there and cannot be downloaded, or is damaged.
    """
    name = FILES[model][weights]
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not path.is_file():
        _download(ADDRESS + name, path)
    expected, found = name.rpartition("-")[2].removesuffix(".pth"), _sha256(path)
    if not found.startswith(expected):
        raise DataError(f"{path} is damaged: its SHA-256 begins {found[:8]}; delete it")
    return path


def _download(address: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    expected = path.name.rpartition("-")[2].removesuffix(".pth")
    try:
        torch.hub.download_url_to_file(address, str(path), expected, progress=False)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{address} cannot be downloaded ({error}); put the file to {path}, or name it as"
            " start.file"
        ) from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
