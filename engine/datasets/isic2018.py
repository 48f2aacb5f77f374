"""ISIC 2018 skin lesions (Codella et al. 2019), in the split of Brigato et al. 2022.

The test images are unbalanced (35 to 400 per class): compare balanced accuracy too.
"""

from __future__ import annotations

from engine.datasets import _image_files, _lists
from engine.description import Description
from engine.images import Splits

SOURCE = _lists.Source(
    names=("isic2018", "isic", "ISIC2018"),
    classes=("mel", "nv", "bcc", "akiec", "bkl", "df", "vasc"),
    how="Download ISIC2018_Task3_Training_Input.zip from"
    " https://challenge.isic-archive.com/data/#2018 and put its images into isic2018/imgs/"
    " (imgs/ISIC_0024306.jpg ...), then put the four lists of https://github.com/cvjena/deic,"
    " datasets/isic2018 (train, val, trainval and test .txt) into isic2018/; data.root names that"
    " folder or the one above",
)


class Settings(_image_files.FileSettings):
    """How images are stored and shown: resized crops, flipped both ways."""

    flips: _image_files.Flips = ("horizontal", "vertical")


def describe(settings: Settings) -> Description:
    """Count the images by their lists."""
    return _image_files.describe(settings, listed(settings))


def load(settings: Settings) -> Splits:
    """Decode the images."""
    return _image_files.load(settings, listed(settings))


def listed(settings: Settings) -> _image_files.Listed:
    """Which image files there are, and their labels."""
    return _lists.read(settings, SOURCE)
