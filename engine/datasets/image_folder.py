"""Any set of images in class folders: train/, val/ and test/, or one tree that is split by a seed.

`data.root` holds train/CLASS/**, test/CLASS/** and perhaps val/CLASS/**; or just CLASS/**, of which
a share becomes the test set. Classes are the names of the folders, sorted.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from engine.datasets import _class_folders, _folders, _image_files
from engine.description import Description
from engine.errors import SpecError
from engine.images import Splits

HOW = (
    "Lay the images out as train/CLASS/** and test/CLASS/** (and val/CLASS/**, if validation images"
    " are chosen), or as CLASS/** to have data.test of them tested; let data.root name that folder"
)


class Settings(_image_files.FileSettings):
    """How images are stored and shown, and which are tested if no folder says so."""

    named_by_root: ClassVar[bool] = True

    test: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="share of the images of each class that is tested, where there is no test"
        " folder",
    )
    test_seed: int = Field(
        0,
        ge=0,
        lt=2**32,
        description="fixes which images these are, whatever the seeds of the data and the run",
    )


def describe(settings: Settings) -> Description:
    """Count the images by walking the folders."""
    return _image_files.describe(settings, listed(settings))


def load(settings: Settings) -> Splits:
    """Decode the images."""
    return _image_files.load(settings, listed(settings))


def listed(settings: Settings) -> _image_files.Listed:
    """Both layouts; without val/ as validation set, its images belong to the training images.

    Raises:
        DataError: there is no such layout.
        SpecError: the settings choose test images where a folder says which they are.
    """
    folder = Path(settings.root)
    if not folder.is_dir():
        raise _folders.missing(settings.root, "train/ and test/, or class folders,", [folder], HOW)
    inner = {entry.name for entry in _folders.entries(folder) if _folders.folder(entry)}
    if "train" not in inner or not inner & {"val", "test"}:
        tree = _class_folders.walk(folder, "train" if inner == {"train"} else "")
        return _class_folders.listed(
            folder, *_class_folders.split(tree, settings.test, settings.test_seed)
        )
    _check_untold(settings, folder / ("test" if "test" in inner else "val"))
    train = _class_folders.walk(folder, "train")
    val = _class_folders.walk(folder, "val") if "val" in inner else None
    if "test" not in inner and val:
        note = f"{folder} has no test/: the images of val/ are the test images"
        return _class_folders.listed(folder, train, val, warnings=[note])
    test = _class_folders.walk(folder, "test")
    if val is None or settings.validation == "official":
        return _class_folders.listed(folder, train, test, val)
    note = f"{folder}: val/ is trained on too; data.validation official validates on it instead"
    return _class_folders.listed(folder, _class_folders.together(train, val), test, warnings=[note])


def _check_untold(settings: Settings, tested: Path) -> None:
    """Refuse to choose test images beside those of a folder."""
    for field in ("test", "test_seed"):
        if getattr(settings, field) != Settings.model_fields[field].default:
            raise SpecError(
                f"{field} has no effect where {tested}/ holds the test images; leave it out",
                f"data.{field}",
            )
