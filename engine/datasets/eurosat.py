"""EuroSAT land cover in RGB, 64x64 (Helber et al. 2019), in the split of Brigato et al. 2022."""

from __future__ import annotations

from engine.datasets import _image_files, _lists
from engine.description import Description
from engine.images import Splits

SOURCE = _lists.Source(
    names=("eurosat", "EuroSAT"),
    classes=(
        "AnnualCrop",
        "Forest",
        "HerbaceousVegetation",
        "Highway",
        "Industrial",
        "Pasture",
        "PermanentCrop",
        "Residential",
        "River",
        "SeaLake",
    ),
    how="Download EuroSAT_RGB.zip from https://zenodo.org/records/7711810 and put its class folders"
    " into eurosat/imgs/ (imgs/AnnualCrop/AnnualCrop_1.jpg ...), then put the four lists of"
    " https://github.com/cvjena/deic, datasets/eurosat (train, val, trainval and test .txt) into"
    " eurosat/; data.root names that folder or the one above"
    "; or let `lthtui data get eurosat` do that",
)


class Settings(_image_files.FileSettings):
    """How images are stored and shown: as they are, shifted by 8 pixels and flipped."""

    size: _image_files.Size = 64
    crop: _image_files.Crop = "pad"
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
