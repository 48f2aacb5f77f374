"""Any set of images with list files (the layout of Brigato et al. 2022, DEIC).

`data.root` holds imgs/** and train.txt, val.txt, trainval.txt, test.txt with lines `image label`,
where the image is its path below imgs without suffix and labels count from 0.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from engine.datasets import _image_files, _lists
from engine.description import Description
from engine.images import Splits

HOW = (
    "Lay the images out as imgs/** with trainval.txt (or train.txt and val.txt) and test.txt beside"
    " imgs; each line names an image by its path below imgs without suffix, then its label from 0"
)


class Settings(_image_files.FileSettings):
    """How images are stored and shown, and what their classes are called."""

    named_by_root: ClassVar[bool] = True

    classes: tuple[str, ...] = Field(
        (), max_length=10_000, description="class names in label order; their numbers if unset"
    )


def describe(settings: Settings) -> Description:
    """Count the images by their lists."""
    return _image_files.describe(settings, listed(settings))


def load(settings: Settings) -> Splits:
    """Decode the images."""
    return _image_files.load(settings, listed(settings))


def listed(settings: Settings) -> _image_files.Listed:
    """Which image files there are, and their labels."""
    return _lists.read(settings, _lists.Source((), settings.classes, HOW))
