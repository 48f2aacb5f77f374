"""torchvision's weights for ImageNet: their files, and whence they come.

The eight digits in a file's name begin its SHA-256.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from engine.errors import DataError, SpecError

ADDRESS = "https://download.pytorch.org/models/"
FILES = {
    "resnet18": {"IMAGENET1K_V1": "resnet18-f37072fd.pth"},
    "resnet34": {"IMAGENET1K_V1": "resnet34-b627a593.pth"},
    "resnet50": {
        "IMAGENET1K_V1": "resnet50-0676ba61.pth",
        "IMAGENET1K_V2": "resnet50-11ad3fa6.pth",
    },
    "resnet101": {
        "IMAGENET1K_V1": "resnet101-63fe2227.pth",
        "IMAGENET1K_V2": "resnet101-cd907fc2.pth",
    },
    "resnet152": {
        "IMAGENET1K_V1": "resnet152-394f9c45.pth",
        "IMAGENET1K_V2": "resnet152-f82ba261.pth",
    },
    "vgg11": {"IMAGENET1K_V1": "vgg11_bn-6002323d.pth"},
    "vgg13": {"IMAGENET1K_V1": "vgg13_bn-abd245e5.pth"},
    "vgg16": {"IMAGENET1K_V1": "vgg16_bn-6c64b313.pth"},
    "vgg19": {"IMAGENET1K_V1": "vgg19_bn-c79401a0.pth"},
    "mobilenet_v2": {
        "IMAGENET1K_V1": "mobilenet_v2-b0353104.pth",
        "IMAGENET1K_V2": "mobilenet_v2-7ebf99e0.pth",
    },
}


def file(model: str, weights: str) -> Path:
    """The file of a network's weights, downloaded once to where torchvision keeps its own.

    Raises:
        SpecError: torchvision has none for this network.
        DataError: it is not there and cannot be downloaded, or is damaged.
    """
    name = FILES.get(model, {}).get(weights)
    if name is None:
        known = ", ".join(key for key, files in FILES.items() if weights in files)
        raise SpecError(
            f"torchvision has no weights {weights} of {model}; it has them of {known}",
            "start.torchvision",
        )
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
