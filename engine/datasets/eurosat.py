"""EuroSAT land cover in RGB, 64x64 (Helber et al. 2019), in the split of Brigato et al. 2022."""

from __future__ import annotations

from engine.datasets import _lists
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
    " eurosat/; data.root names that folder or the one above",
)


class Settings(_lists.ListSettings):
    """How images are stored and shown: as they are, shifted by 8 pixels and flipped."""

    size: _lists.Size = 64
    crop: _lists.Crop = "pad"
    flips: _lists.Flips = ("horizontal", "vertical")


def describe(settings: Settings) -> Description:
    """Count the images by their lists."""
    return _lists.describe(settings, SOURCE)


def load(settings: Settings) -> Splits:
    """Decode the images."""
    return _lists.load(settings, SOURCE)
