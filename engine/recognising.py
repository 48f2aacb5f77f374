"""Which data set reads a folder of images."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from engine import registry
from engine.errors import DataError, NoSet

PACKAGED = ("digits",)  # which read no folder
LAYOUTS = ("cifar10", "cifar100", "tiny_imagenet", "mnist", "image_list", "cub", "image_folder")


def recognise(root: Path) -> str:
    """The name of the data set that a folder or file is: one called like it, or one of its layout.

    Raises:
        DataError: it is none; the message says what is wrong with the first that it looks like.
    """
    if root.suffix == ".npz" or [*root.glob("*.npz")]:
        return "npz"
    known = (name for name in registry.names("datasets") if name not in PACKAGED)
    called = [name for name in known if _plain(name) == _plain(root.name)]
    wrong: list[str] = []
    for name in [*called, *LAYOUTS]:
        try:
            _read(name, root)
        except NoSet:
            continue
        except DataError as error:
            wrong.append(str(error))
            continue
        return name
    why = next(iter(wrong), "It is no folder.")
    raise DataError(
        f"{root} is no data set that is known here: neither an official one, nor idx files, an .npz"
        f" file, lists beside imgs, or class folders. {why}"
    )


def _read(name: str, root: Path) -> Any:
    """The lists of a data set, without opening an image where that can be."""
    module = registry.load("datasets", name)
    return getattr(module, "listed", module.describe)(module.Settings(root=str(root)))


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())
